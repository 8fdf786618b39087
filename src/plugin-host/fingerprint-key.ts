/** Keyed hashes: a fingerprint says nothing about what it was made of. */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** HMAC with a key of this data directory, so that the processes that share it agree on fingerprints. */
export function createFingerprint(data: string): (meaning: string) => string {
  let key: Buffer | undefined;
  return (meaning) => {
    key ??= readKey(data);
    return createHmac("sha256", key).update(meaning).digest("base64url");
  };
}

function readKey(data: string): Buffer {
  const path = join(data, "fingerprint.key");
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (!existsSync(path)) {
    // Of several processes that start at once one puts its key there, whole, and all of them read that one.
    const made = `${path}.${randomUUID()}`;
    writeFileSync(made, randomBytes(32), { mode: 0o600 });
    try {
      linkSync(made, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(made, { force: true });
    }
  }
  return readFileSync(path);
}
