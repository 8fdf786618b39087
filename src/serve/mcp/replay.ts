/** The newest messages of a session of 2025, so that a client whose stream was cut off gets what it has missed. */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

type StoredMessage = Readonly<{ id: string; stream: string; message: JSONRPCMessage; bytes: number }>;

/** Keeps as much as fits; who comes back for what is older is told that it is gone. */
export function replayOf(bytesMax: number): EventStore {
  const stored: StoredMessage[] = [];
  let [count, bytes] = [0, 0];
  return {
    async storeEvent(stream, message) {
      const event = { id: `${++count}`, stream, message, bytes: JSON.stringify(message).length };
      // What fits nowhere must not push out all that does.
      if (event.bytes > bytesMax) return event.id;
      stored.push(event);
      bytes += event.bytes;
      while (bytes > bytesMax) bytes -= stored.shift()!.bytes;
      return event.id;
    },
    getStreamIdForEventId: async (id) => stored.find((event) => event.id === id)?.stream,
    async replayEventsAfter(id, { send }) {
      const at = stored.findIndex((event) => event.id === id);
      const stream = stored[at]!.stream;
      const missed = stored.slice(at + 1).filter((event) => event.stream === stream);
      // What only opens a stream has nothing in it.
      for (const event of missed) if ("jsonrpc" in event.message) await send(event.id, event.message);
      return stream;
    },
  };
}
