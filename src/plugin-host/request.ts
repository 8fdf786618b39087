/** Passes requests to a plugin's worker and its responses back, each with its whole body. */
import { DomainError } from "../domain/error.ts";
import { BODY_MAX, type WireRequest } from "./protocol.ts";
import type { Runner } from "./runner.ts";

const statusOf = { PLUGIN_TIMED_OUT: 504, PLUGIN_FAILED: 500, SERVER_BUSY: 503 } as const;

export async function answerRequest(
  runner: Runner | undefined,
  request: Request,
  vm: string | undefined,
): Promise<Response> {
  if (!runner?.about.fetch) return new Response("Not found\n", { status: 404 });
  const sent = await wire(request);
  if (!sent) return new Response(`A request has ${BODY_MAX} bytes at most\n`, { status: 413 });
  try {
    const { status, headers, body } = await runner.fetch(sent, vm, request.signal);
    const mayHaveBody = ![204, 205, 304].includes(status);
    return new Response(mayHaveBody && body ? new Uint8Array(body) : null, { status, headers });
  } catch (error) {
    // The cause is on stderr and in list_plugins. The sender of the request may be a guest and must not see it.
    const status = error instanceof DomainError ? (statusOf[error.code as keyof typeof statusOf] ?? 500) : 500;
    return new Response("The plugin did not answer\n", { status });
  }
}

/** Undefined for a request over BODY_MAX bytes. No more than that is read. */
async function wire(request: Request): Promise<WireRequest | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request.body ?? []) {
    bytes += part.length;
    if (bytes > BODY_MAX) return undefined;
    parts.push(part);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  const { method, url, headers } = request;
  return { method, url, headers: [...headers], ...(bytes > 0 && { body }) };
}
