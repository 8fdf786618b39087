/** A request's body, of which no more is read than is taken, nor for longer. Not Hono's own limit: with a body whose length
 * is not stated that wraps the request anew, which Node's constructor refuses for those of @hono/node-server. */
import { setTimeout as after } from "node:timers/promises";

export type BodyBounds = Readonly<{ bytesMax: number; limitMs: number }>;

/** Why there is no body: it is too large, came too slowly, or ended early. */
export class BodyRefused extends Error {
  override readonly name = "BodyRefused";
  readonly reason: "large" | "late" | "broken";
  /** As far as it is known how many there are. */
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
    // What is left of it nobody reads.
    void reader.cancel().catch(() => undefined);
  }
}
