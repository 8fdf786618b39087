/** Keyed hashes: a fingerprint reveals nothing about its input. */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** HMAC-SHA-256 with a key from the data directory, so that all processes on it agree on fingerprints. */
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
    // Several processes may start at once. link() lets one put its whole key there, and all read that key.
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
