/** Upgrades connections to WebSockets. A request for a console passes the application's checks like any other, and only then
 * is upgraded. */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { type WebSocket, WebSocketServer } from "ws";
import { CONSOLES, SUBPROTOCOL } from "./console.ts";
import type { Environment } from "./environment.ts";

/** Messages of keyboard and mouse have tens of bytes. */
const MESSAGE_BYTES_MAX = 65_536;
/** The longest time in which a connection may read nothing. */
const STALLED_MS = 30_000;

/** Whether a request asks for a console. Requests for other upgrades are answered without the upgrade (RFC 9110, 7.8). */
export const asksForConsole = ({ headers, url = "" }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === "websocket" && url.startsWith(CONSOLES);

/** Answers a request without a body. `signal` aborts when the connection closes. */
export type Answer = (
  incoming: IncomingMessage,
  signal: AbortSignal,
  upgrade: Environment["Bindings"]["upgrade"],
) => Promise<Response>;

/** Returns the function that ends all upgraded connections. */
export function acceptWebSockets(server: Server, answer: Answer): () => void {
  const open = new Set<Socket>();
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  });
  // Before Node 24.9 requests for any upgrade arrive here.
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
      // handleUpgrade answers a bad handshake itself.
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

/** Sends a response on a connection that Node's HTTP server has released, and ends it. */
async function send(connection: Socket, { status, headers: given, body }: Response): Promise<void> {
  const headers = new Headers(given);
  headers.set("connection", "close");
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`);
  const first = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`;
  connection.setTimeout(STALLED_MS, () => connection.destroy());
  connection.once("end", () => connection.destroy()).resume();
  connection.write(`${[first, ...lines].join("\r\n")}\r\n\r\n`);
  // Without a content-length the response ends with the connection.
  await pipeline(body ? Readable.fromWeb(body as ReadableStream) : Readable.from([]), connection);
  connection.destroy();
}

/** The request in web-standard form. @throws TypeError for an invalid request */
export function requestOf(incoming: IncomingMessage, scheme: "http" | "https", signal: AbortSignal): Request {
  const { method = "GET", headers: sent, url = "/" } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(sent)) for (const one of [value ?? []].flat()) headers.append(name, one);
  return new Request(new URL(url, `${scheme}://${sent.host ?? "localhost"}`), { method, headers, signal });
}
