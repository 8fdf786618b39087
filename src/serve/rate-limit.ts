/** A rate limit by address, as a token bucket. */

export type RateLimit = Readonly<{ burst: number; perSecond: number }>;

/** The number of remembered addresses. The one with the oldest request is dropped first. */
const ADDRESSES_MAX = 4_096;

/** Whether a request of this address is within the limit. Counts the request if it is. */
export function rateLimited({ burst, perSecond }: RateLimit, now: () => number): (address: string) => boolean {
  const buckets = new Map<string, { left: number; at: number }>();
  return (address) => {
    const at = now();
    const known = buckets.get(address);
    const left = known ? Math.min(burst, known.left + ((at - known.at) / 1000) * perSecond) : burst;
    const isWithin = left >= 1;
    // Reinserted at the end, so that the first entry is the one with the oldest request.
    buckets.delete(address);
    buckets.set(address, { left: isWithin ? left - 1 : left, at });
    if (buckets.size > ADDRESSES_MAX) for (const oldest of buckets.keys().take(1)) buckets.delete(oldest);
    return isWithin;
  };
}
