/** How often an address may ask: a bucket that fills again as time goes by. */

export type RateLimit = Readonly<{ burst: number; perSecond: number }>;

/** Addresses that are remembered; of more than that the one that asked longest ago is forgotten. */
const ADDRESSES_MAX = 4_096;

/** Whether a request from this address is within the limit, which it then counts towards. */
export function rateLimited({ burst, perSecond }: RateLimit, now: () => number): (address: string) => boolean {
  const buckets = new Map<string, { left: number; at: number }>();
  return (address) => {
    const at = now();
    const known = buckets.get(address);
    const left = known ? Math.min(burst, known.left + ((at - known.at) / 1000) * perSecond) : burst;
    const isWithin = left >= 1;
    // Put at the end, so that the first is the one that asked longest ago.
    buckets.delete(address);
    buckets.set(address, { left: isWithin ? left - 1 : left, at });
    if (buckets.size > ADDRESSES_MAX) for (const oldest of buckets.keys().take(1)) buckets.delete(oldest);
    return isWithin;
  };
}
