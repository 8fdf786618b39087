/** Secrets that expire. They are stored by their hashes, so that the time of a lookup reveals nothing. */
import { createHash } from "node:crypto";
import { newSecret } from "./token.ts";

const KEPT_MAX = 1_000;

const hashOf = (secret: string) => createHash("sha256").update(secret).digest("base64url");

/** Maps secrets to values until they expire. At most KEPT_MAX are kept, the newest ones. */
export function createExpiringSecrets<T>(now: () => number) {
  const all = new Map<string, { value: T; until: number }>();
  return {
    put(value: T, forMs: number): string {
      const secret = newSecret();
      all.set(hashOf(secret), { value, until: now() + forMs });
      for (const [hash, { until }] of all) if (until <= now() || all.size > KEPT_MAX) all.delete(hash);
      return secret;
    },
    get(secret: string): T | undefined {
      const found = all.get(hashOf(secret));
      return found && found.until > now() ? found.value : undefined;
    },
    drop: (secret: string) => all.delete(hashOf(secret)),
  };
}
