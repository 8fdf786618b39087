/** The limits of one server process on calls, answers, notifications, streams and sessions. */

/** Concurrent calls. A host makes a few. Calls that wait for a guest or another caller count too. Further calls are refused
 * at once and never queued, so that no read waits behind them. */
export const CALLS_MAX = 256;
/** The SDK's client ends a connection at a line over 10 MiB. */
export const ANSWER_BYTES_MAX = 8 * 2 ** 20;
/** Progress messages of one call per second. A plugin may report more often. */
export const PROGRESS_PER_SECOND_MAX = 20;
export const PROGRESS_CHARACTERS_MAX = 500;
/** Resources that one client may subscribe to. */
export const URIS_MAX = 1_000;
/** Update notifications per second for one resource. */
export const UPDATES_PER_SECOND_MAX = 20;
/** Concurrent streams over HTTP, and the resources that all streams of protocol 2026 together may subscribe to. */
export const STREAMS_MAX = 200;
export const STREAM_URIS_MAX = 20_000;
/** Concurrent HTTP sessions of clients of protocol 2025, and the idle time after which a session ends: no request, no open
 * stream. */
export const SESSIONS_MAX = 200;
export const SESSION_IDLE_MS = 30 * 60_000;
/** The newest messages of a session, kept for a client that reconnects. */
export const REPLAY_BYTES_MAX = 262_144;
/** Unread bytes of one HTTP stream (room for the longest answer and notifications beside it), and of all streams. */
export const STREAM_UNREAD_BYTES_MAX = 2 * ANSWER_BYTES_MAX;
export const STREAMS_UNREAD_BYTES_MAX = 16 * ANSWER_BYTES_MAX;

/** Truncates progress messages, and drops those over the rate. */
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
