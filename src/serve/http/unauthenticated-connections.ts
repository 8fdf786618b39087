/** Connections on which nobody has said yet who they are. Guests reach this address too, and could hold all that may be
 * open by saying nothing: so strangers have a share of it, in which the newest displaces the oldest. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** With TLS a request's socket is another object than the one that was accepted; both have the same ends. */
const addressesOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  [remoteAddress, remotePort, localAddress, localPort].join(" ");

/** Bounds how many strangers a server holds. What it gives back is told of a connection whose caller is known. */
export function limitUnauthenticated(server: Server, most: number): (socket: Socket) => void {
  const pending = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const addresses = addressesOf(socket);
    socket.once("close", () => {
      if (pending.get(addresses) === socket) pending.delete(addresses);
    });
    pending.set(addresses, socket);
    if (pending.size <= most) return;
    for (const [oldest, open] of pending.entries().take(1)) {
      pending.delete(oldest);
      open.destroy();
    }
  });
  return (socket) => void pending.delete(addressesOf(socket));
}
