/** How much one server process takes on, and how much it says. */

/** Calls at one time. A host makes a few; what waits for a guest or for another caller waits here too, so that looking
 * must never have to stand in the same line: what comes beyond this is refused at once and nothing is queued. */
export const CALLS_MAX = 256;
/** The SDK's own client ends a connection at 10 MiB without a line's end. */
export const ANSWER_BYTES_MAX = 8 * 2 ** 20;
/** Progress messages of one call in one second; a plugin may report as it likes. */
export const PROGRESS_PER_SECOND_MAX = 20;
export const PROGRESS_CHARACTERS_MAX = 500;
/** Resources that one client is told about. */
export const URIS_MAX = 1_000;
/** How often it is told that one of them changed. */
export const UPDATES_PER_SECOND_MAX = 20;
/** Streams that are open at one time over HTTP, and resources that all of those of the protocol of 2026 are told about. */
export const STREAMS_MAX = 200;
export const STREAM_URIS_MAX = 20_000;
/** Sessions of clients of 2025 over HTTP, and how long one stays that nothing is asked in and nobody listens to. */
export const SESSIONS_MAX = 200;
export const SESSION_IDLE_MS = 30 * 60_000;
/** What is kept of the newest messages of a session, for a client that was cut off. */
export const REPLAY_BYTES_MAX = 262_144;
/** What the client of one stream over HTTP may leave unread (the longest answer, and what is told beside it), and all. */
export const STREAM_UNREAD_BYTES_MAX = 2 * ANSWER_BYTES_MAX;
export const STREAMS_UNREAD_BYTES_MAX = 16 * ANSWER_BYTES_MAX;

/** Passes messages on, cut to their length, and drops those beyond the rate. */
export function limitProgress(
  report: (message: string, percent?: number) => void,
  now: () => number = () => performance.now(),
): (message: string, percent?: number) => void {
  let since = Number.NEGATIVE_INFINITY;
  let reported = 0;
  return (message, percent) => {
    if (now() - since >= 1000) {
      since = now();
      reported = 0;
    }
    reported += 1;
    if (reported <= PROGRESS_PER_SECOND_MAX) report(message.slice(0, PROGRESS_CHARACTERS_MAX), percent);
  };
}
