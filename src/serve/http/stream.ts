/** A stream that is somebody's answer, within bounds: it ends when its reader leaves, may no longer read, or does not. */
import { ANSWER_BYTES_MAX } from "../bounds.ts";

export type Watch = Readonly<{
  /** Whether who reads it still would be let in. */
  isLetIn: () => boolean;
  /** Called once, when nobody reads it any longer. */
  left: () => void;
  heartbeatMs?: number;
}>;

const HEARTBEAT_MS = 15_000;
/** The longest answer, and what is told beside it. */
const UNREAD_BYTES_MAX = 2 * ANSWER_BYTES_MAX;
const UNREAD_BYTES_MAX_OF_ALL = 16 * ANSWER_BYTES_MAX;
const SMALL_BYTES = 65_536;

const open = new Set<ReadableStreamDefaultController<Uint8Array>>();
const unreadIn = ({ desiredSize }: ReadableStreamDefaultController) => -(desiredSize ?? 0);
const isTooMuch = (unread: number) =>
  unread > UNREAD_BYTES_MAX ||
  (unread > SMALL_BYTES && open.values().reduce((sum, one) => sum + unreadIn(one), 0) > UNREAD_BYTES_MAX_OF_ALL);

/** The same answer, as it is produced: whoever writes to it waits for nobody, so what is unread is counted here. */
export function watched(response: Response, { isLetIn, left, heartbeatMs = HEARTBEAT_MS }: Watch): Response {
  const reader = response.body!.getReader();
  let beat: NodeJS.Timeout;
  const passOn = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const end = (how: () => void) => {
      if (!open.delete(controller)) return;
      clearInterval(beat);
      how();
      left();
    };
    const cut = (why: string) =>
      end(() => {
        controller.error(new Error(why));
        void reader.cancel().catch(() => undefined);
      });
    open.add(controller);
    beat = setInterval(() => isLetIn() || cut("its reader may no longer read"), heartbeatMs);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return end(() => controller.close());
        if (!open.has(controller)) return;
        controller.enqueue(value);
        if (isTooMuch(unreadIn(controller))) return cut("its reader does not read");
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
