import { connect, type Socket } from "node:net";
import { ConnectFailed } from "./error.ts";

const HINT: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket; is libvirtd (or virtqemud) running?",
  ECONNREFUSED: "no daemon listens on the socket; is libvirtd (or virtqemud) running?",
  EACCES: `access to the socket is denied; is the user in the group "libvirt"?`,
};

/** A socket connected to `path`. @throws ConnectFailed, with advice on how to succeed */
export function connectSocket(path: string, timeoutMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const fail = (reason: string, cause?: unknown) =>
    reject(new ConnectFailed(`Cannot connect to libvirt at "${path}": ${reason}`, { cause }));
  let socket: Socket;
  try {
    socket = connect({ path });
  } catch (error) {
    // Deno throws at once where its permissions do not reach.
    fail(error instanceof Error ? error.message : String(error), error);
    return promise;
  }
  const timer = setTimeout(() => {
    socket.destroy();
    fail(`no connection in ${timeoutMs} ms`);
  }, timeoutMs);
  const failed = (error: NodeJS.ErrnoException) => {
    clearTimeout(timer);
    fail(HINT[error.code ?? ""] ?? error.message, error);
  };
  socket.once("error", failed);
  socket.once("connect", () => {
    clearTimeout(timer);
    socket.off("error", failed);
    resolve(socket);
  });
  return promise;
}
