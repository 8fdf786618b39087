/** Parses the Prefer header (RFC 7240), for clients that do not wait for a long change. */

export type AsyncPreference = Readonly<{
  /** How long to wait before answering 202, in milliseconds. */
  waitMs: number;
}>;

const WAIT_SECONDS_MAX = 60;

/** Undefined for a client that waits for the answer. */
export function respondAsync(prefer: string | undefined): AsyncPreference | undefined {
  const parts = (prefer ?? "").split(",").map((part) => part.trim().toLowerCase());
  if (!parts.includes("respond-async")) return undefined;
  const [, seconds = "0"] = parts.map((part) => /^wait="?(\d{1,6})"?$/.exec(part)).find((found) => found) ?? [];
  return { waitMs: Math.min(Number(seconds), WAIT_SECONDS_MAX) * 1000 };
}
