/** Consoles as a program opens them. */
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { VERSION } from "../display/rfb.ts";
import { TOKEN } from "./http-here.ts";

export type Sent = Readonly<{ token?: string | null; headers?: Record<string, string>; protocol?: string }>;

export function dial(url: string, { token = TOKEN, headers = {}, protocol = "binary" }: Sent = {}): WebSocket {
  const all = { ...(token && { authorization: `Bearer ${token}` }), ...headers };
  const socket = new WebSocket(url.replace("http", "ws"), [protocol], { headers: all });
  socket.on("error", () => undefined);
  onTestFinished(() => socket.terminate());
  return socket;
}

/** Returns the status and code that a WebSocket was refused with. */
export async function refusal(url: string, sent: Sent = {}): Promise<{ status: number; code: string }> {
  const socket = dial(url, sent);
  const [, response] = await once(socket, "unexpected-response");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, code: JSON.parse(text).code };
}

type Client = Readonly<{ socket: WebSocket; take: (bytes: number) => Promise<Buffer>; closed: Promise<unknown[]> }>;

/** Opens a console. Returns it past its handshake. */
export async function connected(url: string, sent: Sent = {}): Promise<Client> {
  const socket = dial(url, sent);
  let heard = Buffer.alloc(0);
  socket.on("message", (data: Buffer) => {
    heard = Buffer.concat([heard, data]);
  });
  const closed = once(socket, "close").then(([code, reason]) => [code, String(reason)]);
  const take = async (bytes: number) => {
    while (heard.length < bytes) await once(socket, "message");
    const taken = heard.subarray(0, bytes);
    heard = heard.subarray(bytes);
    return taken;
  };
  await once(socket, "open");
  await take(12);
  socket.send(Buffer.from(VERSION));
  await take(2);
  socket.send(Uint8Array.of(1));
  await take(4);
  return { socket, take, closed };
}
