/** One URL that events are sent to, with its state. */
import { setTimeout as after } from "node:timers/promises";
import type { DomainEvent } from "../../src/plugin.ts";
import { type Secret, signedHeaders } from "./signature.ts";

export type Receiver = Readonly<{
  /** Sends one event, unless the receiver has already taken it.
   * @throws Error with the reason, without the URL's path, which may be a secret */
  send(event: DomainEvent, signal: AbortSignal): Promise<void>;
}>;

export type ReceiverOptions = Readonly<{
  url: URL;
  secrets: readonly Secret[];
  timeoutMs: number;
  log: (message: string) => void;
}>;

/** The longest pause that a receiver may request, and how much of it a call waits for. */
const PAUSE_MAX_MS = 600_000;
const WAIT_MAX_MS = 5_000;
const TAKEN_MAX = 1_000;

export function receiverAt({ url, secrets, timeoutMs, log }: ReceiverOptions): Receiver {
  const taken = new Set<string>();
  let isGone = false;
  let notBefore = 0;

  const patience = async (signal: AbortSignal) => {
    const waitMs = notBefore - Date.now();
    if (waitMs > WAIT_MAX_MS)
      throw new Error(`${url.host} requested a pause until ${new Date(notBefore).toISOString()}`);
    if (waitMs > 0) await after(waitMs, undefined, { signal });
  };
  const post = async (event: DomainEvent, signal: AbortSignal): Promise<Response> => {
    const body = JSON.stringify(event);
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/cloudevents+json; charset=utf-8",
          ...signedHeaders(secrets, event.id, new Date(), body),
        },
        body,
        redirect: "manual",
        signal: AbortSignal.any([signal, limit]),
      });
      // The body is not needed, and it may be endless.
      await response.body?.cancel();
      return response;
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) throw new Error(`${url.host} did not answer within ${timeoutMs / 1000} s`);
      // The runtime's own message may have the whole URL in it.
      const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
      throw new Error(`${url.host} cannot be reached, or hung up${typeof code === "string" ? ` (${code})` : ""}`);
    }
  };

  return {
    async send(event, signal) {
      if (isGone || taken.has(event.id)) return;
      await patience(signal);
      const { ok, status, type, headers } = await post(event, signal);
      if (ok) {
        taken.add(event.id);
        if (taken.size > TAKEN_MAX) for (const oldest of taken.values().take(1)) taken.delete(oldest);
        return;
      }
      if (status === 410) {
        isGone = true;
        log(`${url.host} answered 410 Gone: nothing more is sent there until this worker starts anew`);
        return;
      }
      if (type === "opaqueredirect" || (status >= 300 && status < 400))
        throw new Error(`${url.host} answered with a redirect, which is not followed: give the URL that it leads to`);
      if (status === 429 || status === 503) notBefore = Date.now() + pauseOf(headers.get("retry-after"));
      throw new Error(`${url.host} answered ${status}`);
    },
  };
}

/** The pause in milliseconds from HTTP's seconds or date; anything else is no pause. */
function pauseOf(retryAfter: string | null): number {
  if (retryAfter === null) return 0;
  const askedMs = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(askedMs) ? 0 : Math.min(Math.max(askedMs, 0), PAUSE_MAX_MS);
}
