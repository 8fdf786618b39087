/** What happens, as the server tells it; a connection that breaks is taken up again where it was. */

export type StreamEvent = Readonly<{ id: string; type: string; subject: string; time: string }>;

export type Stream = Readonly<{
  happened: (event: StreamEvent) => void;
  /** Events are missing: what is known may be out of date. */
  lost: () => void;
  connected: (is: boolean) => void;
  /** The server answers and no longer knows who is looking. */
  loggedOut: () => void;
}>;

const AGAIN_MS = 2_000;

/** Listens from this place in the journal on, until the page goes. Where the place is not known, what happened until the
 * first connection is lost. */
export function listen(place: number | undefined, stream: Stream): void {
  let last = place;
  const open = () => {
    const source = new EventSource(`/api/events${last === undefined ? "" : `?after=${last}`}`);
    source.onopen = () => {
      stream.connected(true);
      if (last === undefined) stream.lost();
    };
    source.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      last = Number(lastEventId) || last;
      stream.happened(JSON.parse(data) as StreamEvent);
    };
    source.addEventListener("lost", ({ data }: MessageEvent<string>) => {
      last = (JSON.parse(data) as { place: number }).place;
      stream.lost();
    });
    source.onerror = () => {
      stream.connected(false);
      // The browser tries again by itself, but not after an answer that was no stream.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => void again(), AGAIN_MS);
    };
  };
  const again = async () => {
    const response = await fetch("/api/vms?limit=1").catch(() => undefined);
    if (response?.status === 401) stream.loggedOut();
    else open();
  };
  open();
}
