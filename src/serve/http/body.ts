/** A request's body, of which no more is read than is taken, nor for longer. */
import { setTimeout as after } from "node:timers/promises";
import { DomainError } from "../../domain/error.ts";
import { jsonOf } from "../argument.ts";
import { MESSAGE_BYTES_MAX } from "../wire.ts";
import { HttpRefusal } from "./refusal.ts";

const BODY_LIMIT_MS = 15_000;

/** @throws DomainError MESSAGE_TOO_LARGE @throws HttpRefusal REQUEST_TIMED_OUT, REQUEST_MALFORMED */
export async function readBody(request: Request, limitMs = BODY_LIMIT_MS): Promise<Uint8Array<ArrayBuffer>> {
  const stated = Number(request.headers.get("content-length") ?? 0);
  if (stated > MESSAGE_BYTES_MAX) throw tooLarge(stated);
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  const ending = new AbortController();
  const late = after(limitMs, "late" as const, { signal: ending.signal }).catch(() => "late" as const);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const read = await Promise.race([reader.read(), late]).catch(() => {
        throw new HttpRefusal("REQUEST_MALFORMED", { reason: "its body ended early" });
      });
      if (read === "late") throw new HttpRefusal("REQUEST_TIMED_OUT", { limitMs }, { connection: "close" });
      if (read.done) return new Uint8Array(Buffer.concat(parts));
      bytes += read.value.length;
      if (bytes > MESSAGE_BYTES_MAX) throw tooLarge(bytes);
      parts.push(read.value);
    }
  } finally {
    ending.abort();
    // What is left of it nobody reads.
    void reader.cancel().catch(() => undefined);
  }
}

const tooLarge = (bytes: number) => new DomainError("MESSAGE_TOO_LARGE", { bytes, bytesMax: MESSAGE_BYTES_MAX });

/** Undefined for a body that is no JSON. @throws HttpRefusal MEDIA_TYPE_UNSUPPORTED, REQUEST_MALFORMED */
export function jsonIn(body: Uint8Array, request: Request): unknown {
  const type = request.headers.get("content-type") ?? "none";
  if (!/^application\/json\s*(?:;|$)/i.test(type))
    throw new HttpRefusal("MEDIA_TYPE_UNSUPPORTED", { type: type.slice(0, 100) });
  return jsonOf(textOf(body));
}

/** A body that is one JSON object; an empty one has nothing in it.
 * @throws HttpRefusal MEDIA_TYPE_UNSUPPORTED, REQUEST_MALFORMED */
export function objectIn(body: Uint8Array, request: Request): Record<string, unknown> {
  if (body.length === 0) return {};
  const value = jsonIn(body, request);
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HttpRefusal("REQUEST_MALFORMED", { reason: "its body is no JSON object" });
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new HttpRefusal("REQUEST_MALFORMED", { reason: "its body is not UTF-8" });
  }
}
