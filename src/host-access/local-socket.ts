/** Sockets of this host. */
import { connect } from "node:net";
import { Duplex } from "node:stream";
import type { HostConnection, SocketAddress } from "../domain/ports/host-access.ts";

export async function connectLocally(address: SocketAddress, signal?: AbortSignal): Promise<HostConnection> {
  signal?.throwIfAborted();
  const socket = connect("path" in address ? { path: address.path } : { ...address });
  const giveUp = () => socket.destroy();
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed before it was there")));
    });
  } catch (error) {
    socket.destroy();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
  // Whoever reads gets the error; nobody else waits for it.
  socket.on("error", () => undefined);
  const { readable, writable } = Duplex.toWeb(socket) as Pick<HostConnection, "readable" | "writable">;
  return { readable, writable, close: () => void socket.destroy() };
}
