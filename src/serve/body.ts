/** Reads a request's body within a size and a time limit. Hono's own body limit does not work here: for a body without a
 * content-length it creates a new Request, which Node refuses for requests of @hono/node-server. */
import { setTimeout as after } from "node:timers/promises";

export type BodyBounds = Readonly<{ bytesMax: number; limitMs: number }>;

/** The body is too large (`large`), arrived too slowly (`late`), or ended early (`broken`). */
export class BodyRefused extends Error {
  override readonly name = "BodyRefused";
  readonly reason: "large" | "late" | "broken";
  /** The stated length, or the number read so far. */
  readonly bytes: number;
  constructor(reason: BodyRefused["reason"], bytes: number) {
    super(`the body is ${reason}`);
    this.reason = reason;
    this.bytes = bytes;
  }
}

/** @throws BodyRefused */
export async function readWithin(
  request: Request,
  { bytesMax, limitMs }: BodyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  const stated = Number(request.headers.get("content-length") ?? 0);
  if (stated > bytesMax) throw new BodyRefused("large", stated);
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  const ending = new AbortController();
  const late = after(limitMs, "late" as const, { signal: ending.signal }).catch(() => "late" as const);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const read = await Promise.race([reader.read(), late]).catch(() => "broken" as const);
      if (typeof read === "string") throw new BodyRefused(read, bytes);
      if (read.done) return new Uint8Array(Buffer.concat(parts));
      bytes += read.value.length;
      if (bytes > bytesMax) throw new BodyRefused("large", bytes);
      parts.push(read.value);
    }
  } finally {
    ending.abort();
    // The rest of the body is discarded.
    void reader.cancel().catch(() => undefined);
  }
}
