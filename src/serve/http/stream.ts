/** Watches a streamed response: ends it when its reader leaves, loses its authentication, or does not read. */
import { STREAM_UNREAD_BYTES_MAX, STREAMS_UNREAD_BYTES_MAX } from "../limits.ts";

export type Watch = Readonly<{
  /** Whether the reader's token or session is still valid. */
  isStillAuthenticated: () => boolean;
  /** Called once, when the reader has left. */
  left: () => void;
  heartbeatMs?: number;
}>;

const HEARTBEAT_MS = 15_000;
const SMALL_BYTES = 65_536;

const open = new Set<ReadableStreamDefaultController<Uint8Array>>();
const unreadIn = ({ desiredSize }: ReadableStreamDefaultController) => -(desiredSize ?? 0);
const isTooMuch = (unread: number) =>
  unread > STREAM_UNREAD_BYTES_MAX ||
  (unread > SMALL_BYTES && open.values().reduce((sum, one) => sum + unreadIn(one), 0) > STREAMS_UNREAD_BYTES_MAX);

function unread(): Error {
  const error = new Error("a stream was cut off, since its client does not read it");
  error.stack = `bootwright: ${error.message}`;
  return error;
}

/** The same response. Its writer does not wait for the reader, so unread bytes are counted here. */
export function watchStream(
  response: Response,
  { isStillAuthenticated, left, heartbeatMs = HEARTBEAT_MS }: Watch,
): Response {
  const reader = response.body!.getReader();
  let beat: NodeJS.Timeout;
  const passOn = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const end = (how: () => void) => {
      if (!open.delete(controller)) return;
      clearInterval(beat);
      how();
      left();
    };
    const stop = () => void reader.cancel().catch(() => undefined);
    open.add(controller);
    beat = setInterval(() => {
      if (isStillAuthenticated()) return;
      end(() => controller.close());
      stop();
    }, heartbeatMs);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return end(() => controller.close());
        if (!open.has(controller)) return;
        controller.enqueue(value);
        if (!isTooMuch(unreadIn(controller))) continue;
        // Drops the unread bytes. The HTTP server logs the error.
        end(() => controller.error(unread()));
        return stop();
      }
    } catch (error) {
      end(() => controller.error(error));
    }
  };
  let controllerOf: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controllerOf = controller;
        void passOn(controller);
      },
      async cancel(reason) {
        if (open.delete(controllerOf)) {
          clearInterval(beat);
          left();
        }
        await reader.cancel(reason);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
  );
  return new Response(body, response);
}
