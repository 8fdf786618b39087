/** Reads a request's body within its limits, and as its content type. */
import { DomainError } from "../../domain/error.ts";
import { BodyRefused, readWithin } from "../body.ts";
import { MESSAGE_BYTES_MAX } from "../mcp/bounded-lines.ts";
import { parseJson } from "../parse-argument.ts";
import type { HttpContext } from "./environment.ts";
import { HttpError } from "./http-error.ts";

/** @throws DomainError MESSAGE_TOO_LARGE @throws HttpError REQUEST_TIMED_OUT, REQUEST_MALFORMED */
export async function readBody({ req, env: { bodyMs: limitMs } }: HttpContext): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readWithin(req.raw, { bytesMax: MESSAGE_BYTES_MAX, limitMs });
  } catch (error) {
    if (!(error instanceof BodyRefused)) throw error;
    const { reason, bytes } = error;
    if (reason === "large") throw new DomainError("MESSAGE_TOO_LARGE", { bytes, bytesMax: MESSAGE_BYTES_MAX });
    if (reason === "late") throw new HttpError("REQUEST_TIMED_OUT", { limitMs }, { connection: "close" });
    throw new HttpError("REQUEST_MALFORMED", { reason: "its body ended early" });
  }
}

/** Undefined for a body that is no JSON.
 * @throws HttpError MEDIA_TYPE_UNSUPPORTED, REQUEST_MALFORMED */
export function jsonIn(body: Uint8Array, request: Request): unknown {
  const type = request.headers.get("content-type") ?? "none";
  if (!/^application\/json\s*(?:;|$)/i.test(type))
    throw new HttpError("MEDIA_TYPE_UNSUPPORTED", { type: type.slice(0, 100) });
  return parseJson(decodeUtf8(body));
}

/** A body that is one JSON object. An empty body is an empty object.
 * @throws HttpError MEDIA_TYPE_UNSUPPORTED, REQUEST_MALFORMED */
export function objectIn(body: Uint8Array, request: Request): Record<string, unknown> {
  if (body.length === 0) return {};
  const value = jsonIn(body, request);
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HttpError("REQUEST_MALFORMED", { reason: "its body is no JSON object" });
}

function decodeUtf8(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new HttpError("REQUEST_MALFORMED", { reason: "its body is not UTF-8" });
  }
}
