/** Signatures of Standard Webhooks 1.0: HMAC-SHA-256 over "id.timestamp.body". */
import { createHmac } from "node:crypto";

export type Secret = Readonly<{ key: Buffer }>;

const PREFIX = "whsec_";
/** What the specification allows, in bytes. */
const KEY_MIN = 24;
const KEY_MAX = 64;

/** The secrets in a file, one a line. With more than one every request is signed with each, so that a receiver can be
 * moved from one to the next.
 * @throws Error that names the line and never says what is in it */
export function parseSecrets(text: string): Secret[] {
  const lines = text.split("\n").map((line) => line.trim());
  const secrets = lines.flatMap((line, index) => (line === "" ? [] : [secretOf(line, index + 1)]));
  if (secrets.length === 0) throw new Error("there is no secret in it");
  return secrets;
}

function secretOf(line: string, number: number): Secret {
  const encoded = line.startsWith(PREFIX) ? line.slice(PREFIX.length) : "";
  const key = Buffer.from(encoded, "base64");
  // The decoder skips invalid base64, which would give another key than the receiver's.
  const isWhole = key.toString("base64").replaceAll("=", "") === encoded.replaceAll("=", "");
  if (!isWhole || key.length < KEY_MIN || key.length > KEY_MAX)
    throw new Error(`line ${number} is no ${PREFIX} followed by ${KEY_MIN} to ${KEY_MAX} bytes in base64`);
  return { key };
}

/** The headers that go with a body. */
export function signedHeaders(
  secrets: readonly Secret[],
  id: string,
  at: Date,
  body: string,
): Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = secrets.map(
    ({ key }) => `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`,
  );
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}
