/** Limits unauthenticated connections. Guests reach this address too, and could occupy every connection without sending a
 * token. At the limit a new connection displaces the oldest unauthenticated one. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** With TLS a request's socket is another object than the accepted one. Both have the same addresses. */
const addressesOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  [remoteAddress, remotePort, localAddress, localPort].join(" ");

/** Returns the function to call with a connection once it is authenticated. */
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
