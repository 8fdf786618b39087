/** The server's event stream. A broken connection resumes after the last event received. */
import { type ReadonlySignal, signal } from "@preact/signals";

export type StreamEvent = Readonly<{
  id: string;
  type: string;
  subject: string;
  time: string;
  data?: Readonly<Record<string, unknown>>;
}>;

export type StreamListener = Readonly<{
  onEvent: (event: StreamEvent) => void;
  /** Events are missing, or nobody has listened for a while: what is known may be out of date. */
  onGap: () => void;
}>;

export type EventStream = Readonly<{
  connected: ReadonlySignal<boolean>;
  /** Returns a function that ends the subscription. */
  subscribe: (listener: StreamListener) => () => void;
}>;

const RECONNECT_MS = 2_000;

/** Listens while the page is visible. `after` is the sequence number of the last event known; without one, the first
 * connection reports a gap. `onLoggedOut` runs when the server answers and no longer knows the caller. */
export function openEventStream(after: number | undefined, onLoggedOut: () => void): EventStream {
  const connected = signal(true);
  const listeners = new Set<StreamListener>();
  const reportGap = () => {
    for (const { onGap } of listeners) onGap();
  };
  let last = after;
  let current: EventSource | undefined;
  const open = () => {
    const source = new EventSource(`/api/events${last === undefined ? "" : `?after=${last}`}`);
    current = source;
    source.onopen = () => {
      connected.value = true;
      if (last === undefined) reportGap();
    };
    source.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      last = Number(lastEventId) || last;
      const event = JSON.parse(data) as StreamEvent;
      for (const { onEvent } of listeners) onEvent(event);
    };
    source.addEventListener("lost", ({ data }: MessageEvent<string>) => {
      last = (JSON.parse(data) as { place: number }).place;
      reportGap();
    });
    source.onerror = () => {
      connected.value = false;
      // The browser retries by itself, but not after an answer that was no stream.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => void reopen(source), RECONNECT_MS);
    };
  };
  const reopen = async (closed: EventSource) => {
    const isNewest = () => current === closed;
    if (!isNewest()) return;
    const response = await fetch("/api/vms?limit=1").catch(() => undefined);
    if (response?.status === 401) onLoggedOut();
    else if (isNewest()) open();
  };
  // A browser has six connections for one server, whatever the number of tabs: hidden tabs leave theirs to the others.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      current?.close();
      current = undefined;
    } else if (current === undefined) {
      open();
      reportGap();
    }
  });
  if (document.visibilityState !== "hidden") open();
  return {
    connected,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
