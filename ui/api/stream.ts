/** What happens, as the server tells it; a connection that breaks is taken up again where it was. */

export type StreamEvent = Readonly<{ id: string; type: string; subject: string; time: string }>;

export type Stream = Readonly<{
  happened: (event: StreamEvent) => void;
  /** Events are missing, or nobody has listened for a while: what is known may be out of date. */
  lost: () => void;
  connected: (is: boolean) => void;
  /** The server answers and no longer knows who is looking. */
  loggedOut: () => void;
}>;

const AGAIN_MS = 2_000;

/** Listens from this place in the journal on, while the page is seen. Where the place is not known, what happened until the
 * first connection is lost. */
export function listen(place: number | undefined, stream: Stream): void {
  let last = place;
  let source: EventSource | undefined;
  const open = () => {
    const mine = new EventSource(`/api/events${last === undefined ? "" : `?after=${last}`}`);
    source = mine;
    mine.onopen = () => {
      stream.connected(true);
      if (last === undefined) stream.lost();
    };
    mine.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      last = Number(lastEventId) || last;
      stream.happened(JSON.parse(data) as StreamEvent);
    };
    mine.addEventListener("lost", ({ data }: MessageEvent<string>) => {
      last = (JSON.parse(data) as { place: number }).place;
      stream.lost();
    });
    mine.onerror = () => {
      stream.connected(false);
      // The browser tries again by itself, but not after an answer that was no stream.
      if (mine.readyState !== EventSource.CLOSED) return;
      setTimeout(() => void again(mine), AGAIN_MS);
    };
  };
  const again = async (closed: EventSource) => {
    const isNewest = () => source === closed;
    if (!isNewest()) return;
    const response = await fetch("/api/vms?limit=1").catch(() => undefined);
    if (response?.status === 401) stream.loggedOut();
    else if (isNewest()) open();
  };
  // A browser has six connections for one server, whatever the number of tabs: those that nobody sees leave theirs to the
  // others.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      source?.close();
      source = undefined;
    } else if (source === undefined) {
      open();
      stream.lost();
    }
  });
  if (document.visibilityState !== "hidden") open();
}
