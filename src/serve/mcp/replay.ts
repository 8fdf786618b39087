/** Stores the newest messages of a protocol 2025 session, so that a client gets missed messages after a reconnect. */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

type StoredMessage = Readonly<{ id: string; stream: string; message: JSONRPCMessage; bytes: number }>;

/** Stores `bytesMax` bytes. A client that asks for older messages gets an error. */
export function replayOf(bytesMax: number): EventStore {
  const stored: StoredMessage[] = [];
  let [count, bytes] = [0, 0];
  return {
    async storeEvent(stream, message) {
      const event = { id: `${++count}`, stream, message, bytes: JSON.stringify(message).length };
      // A message over the limit must not displace all others.
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
      // The event that opens a stream has no message.
      for (const event of missed) if ("jsonrpc" in event.message) await send(event.id, event.message);
      return stream;
    },
  };
}
