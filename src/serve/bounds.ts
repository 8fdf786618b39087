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
/** Streams that are open at one time over HTTP, and resources that all of those of the protocol of 2026 are told about. */
export const STREAMS_MAX = 200;
export const STREAM_URIS_MAX = 20_000;
/** How often it is told that one of them changed. */
export const UPDATES_PER_SECOND_MAX = 20;

/** Passes messages on, cut to their length, and drops those beyond the rate. */
export function paced(tell: (message: string) => void, now: () => number = () => performance.now()) {
  let since = Number.NEGATIVE_INFINITY;
  let told = 0;
  return (message: string): void => {
    if (now() - since >= 1000) {
      since = now();
      told = 0;
    }
    told += 1;
    if (told <= PROGRESS_PER_SECOND_MAX) tell(message.slice(0, PROGRESS_CHARACTERS_MAX));
  };
}
