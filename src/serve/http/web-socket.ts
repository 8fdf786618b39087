/** Connections that become WebSockets. Who asks for one goes through the application as everybody does, and only what it
 * lets through is upgraded. */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { SUBPROTOCOL } from "./console.ts";
import type { Environment } from "./environment.ts";

/** Keys and the mouse come in tens of bytes. */
const MESSAGE_BYTES_MAX = 65_536;

export const isWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === "websocket";

/** Has a request answered that arrived without a body. */
export type Answer = (incoming: IncomingMessage, upgrade: Environment["Bindings"]["upgrade"]) => Promise<Response>;

export function acceptWebSockets(server: Server, answer: Answer): void {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  });
  server.on("upgrade", (incoming: IncomingMessage, connection: Duplex, head: Buffer) => {
    connection.on("error", () => connection.destroy());
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
    answer(incoming, isWebSocket(incoming) ? upgrade : undefined)
      .then((response) => (upgraded ? undefined : send(connection, response)))
      .catch(() => connection.destroy());
  });
}

/** An answer to a connection that HTTP has let go of already. */
async function send(connection: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  headers.set("connection", "close");
  headers.set("content-length", String(body.length));
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`);
  const status = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`;
  connection.end(Buffer.concat([Buffer.from(`${[status, ...lines].join("\r\n")}\r\n\r\n`), body]));
}

/** The request as the application takes it. @throws TypeError for one that is none */
export function requestOf(incoming: IncomingMessage, scheme: "http" | "https"): Request {
  const { method = "GET", headers: sent, url = "/" } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(sent)) for (const one of [value ?? []].flat()) headers.append(name, one);
  return new Request(new URL(url, `${scheme}://${sent.host ?? "localhost"}`), { method, headers });
}
