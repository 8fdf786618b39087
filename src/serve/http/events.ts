/** The journal as server-sent events. An event's id is its place in the journal, so a reader can resume after a break. The
 * journal is read no faster than the reader reads. */
import type { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { follow } from "../../domain/events/follow.ts";
import type { Store } from "../../domain/ports/store.ts";
import type { AppContext } from "../app-context.ts";
import type { InFlightCalls } from "../in-flight-calls.ts";
import { STREAMS_MAX } from "../limits.ts";
import { type Environment, type HttpContext, requireScope } from "./environment.ts";
import { HttpError } from "./http-error.ts";

export type EventsOptions = Readonly<{ appContext: AppContext; inFlight: InFlightCalls; heartbeatMs?: number }>;

const HEARTBEAT_MS = 15_000;
const RECONNECT_MS = 2_000;
const AT_ONCE = 100;

export function addEvents(
  app: Hono<Environment>,
  { appContext, inFlight, heartbeatMs = HEARTBEAT_MS }: EventsOptions,
): void {
  let open = 0;
  app.get("/api/events", async (context) => {
    requireScope(context, "vm:read");
    // A stream in answer to HEAD would never end.
    if (context.req.raw.method === "HEAD") return context.body(null, 200, { "content-type": "text/event-stream" });
    if (open >= STREAMS_MAX)
      throw new HttpError("STREAMS_EXHAUSTED", { streamsMax: STREAMS_MAX }, { "retry-after": "10" });
    const from = startingPlace(context);
    open += 1;
    const begun = await (async () => {
      const store = await appContext.services.store();
      return { store, ...(await beginning(store, from)) };
    })().catch((error: unknown) => {
      open -= 1;
      throw error;
    });
    const { store, after, lost } = begun;
    const isStillAuthenticated = context.get("isStillAuthenticated");
    context.header("x-accel-buffering", "no");
    return streamSSE(context, async (stream) => {
      const ending = new AbortController();
      const end = () => ending.abort();
      stream.onAbort(end);
      inFlight.ending.addEventListener("abort", end, { once: true });
      const beat = setInterval(() => {
        // A stream ends with the token or session that opened it.
        if (isStillAuthenticated()) void stream.write(": \n\n");
        else end();
      }, heartbeatMs);
      try {
        await stream.write(`retry: ${RECONNECT_MS}\n\n`);
        if (lost) await stream.writeSSE({ event: "lost", data: JSON.stringify({ after: from, place: after }) });
        await follow({
          journal: store,
          after,
          atOnce: AT_ONCE,
          signal: ending.signal,
          onEvent: (event, place) => stream.writeSSE({ id: String(place), data: JSON.stringify(event) }),
        });
      } finally {
        open -= 1;
        clearInterval(beat);
        inFlight.ending.removeEventListener("abort", end);
      }
    });
  });
}

/** The place to begin after, and whether events after the requested place are lost. */
async function beginning(store: Store, from: number | undefined): Promise<{ after: number; lost: boolean }> {
  const last = await store.lastEvent();
  if (from === undefined) return { after: last, lost: false };
  // A journal that ends earlier was replaced, for example by a backup.
  if (from > last) return { after: last, lost: true };
  const [next] = await store.events(from, 1);
  return { after: from, lost: next !== undefined && next.seq > from + 1 };
}

/** A browser sends Last-Event-ID when it reconnects. `after` is for the first request. */
function startingPlace({ req }: HttpContext): number | undefined {
  const text = req.header("last-event-id") || req.query("after");
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new HttpError("REQUEST_MALFORMED", { reason: "the place to resume from is no number" });
}
