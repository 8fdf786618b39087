/** Connections that become WebSockets. Who asks for a console goes through the application as everybody does, and only what
 * it lets through is upgraded. */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { type WebSocket, WebSocketServer } from "ws";
import { CONSOLES, SUBPROTOCOL } from "./console.ts";
import type { Environment } from "./environment.ts";

/** Keys and the mouse come in tens of bytes. */
const MESSAGE_BYTES_MAX = 65_536;
/** How long a connection may take nothing of its answer. */
const STALLED_MS = 30_000;

/** Whether a request asks to become a console. Nothing else is a WebSocket, and who asks for one elsewhere is answered as
 * if they had not (RFC 9110, 7.8). */
export const asksForConsole = ({ headers, url = "" }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === "websocket" && url.startsWith(CONSOLES);

/** Has a request answered that arrived without a body. `signal` is aborted when its connection has closed. */
export type Answer = (
  incoming: IncomingMessage,
  signal: AbortSignal,
  upgrade: Environment["Bindings"]["upgrade"],
) => Promise<Response>;

/** What it gives back ends every connection that HTTP has let go of and that is still open. */
export function acceptWebSockets(server: Server, answer: Answer): () => void {
  const open = new Set<Socket>();
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  });
  // Before Node 24.9 what asks for any upgrade comes here.
  server.on("upgrade", (incoming: IncomingMessage, connection: Socket, head: Buffer) => {
    const closed = new AbortController();
    open.add(connection);
    connection.on("error", () => connection.destroy());
    connection.once("close", () => {
      open.delete(connection);
      closed.abort();
    });
    let upgraded = false;
    const upgrade = () => {
      let made: WebSocket | undefined;
      upgraded = true;
      // A handshake that is wrong is answered there, and nothing comes of it.
      sockets.handleUpgrade(incoming, connection, head, (socket) => {
        made = socket;
      });
      return made;
    };
    answer(incoming, closed.signal, asksForConsole(incoming) ? upgrade : undefined)
      .then((response) => (upgraded ? undefined : send(connection, response)))
      .catch(() => connection.destroy());
  });
  return () => {
    for (const connection of open) connection.destroy();
  };
}

/** An answer to a connection that HTTP has let go of already: nobody else ends it, or sees that its client has. */
async function send(connection: Socket, { status, headers: given, body }: Response): Promise<void> {
  const headers = new Headers(given);
  headers.set("connection", "close");
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`);
  const first = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`;
  connection.setTimeout(STALLED_MS, () => connection.destroy());
  connection.once("end", () => connection.destroy()).resume();
  connection.write(`${[first, ...lines].join("\r\n")}\r\n\r\n`);
  // Its length is not stated: the answer ends where the connection does.
  await pipeline(body ? Readable.fromWeb(body as ReadableStream) : Readable.from([]), connection);
  connection.destroy();
}

/** The request as the application takes it. @throws TypeError for one that is none */
export function requestOf(incoming: IncomingMessage, scheme: "http" | "https", signal: AbortSignal): Request {
  const { method = "GET", headers: sent, url = "/" } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(sent)) for (const one of [value ?? []].flat()) headers.append(name, one);
  return new Request(new URL(url, `${scheme}://${sent.host ?? "localhost"}`), { method, headers, signal });
}
