/** HTTP requests that no client's library would send. */
import { connect } from "node:net";

/** Sends this text, in pieces where it is several. Returns what comes back until the server ends the connection. */
export function sendRaw(url: string, pieces: string | readonly string[], pauseMs = 0): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect({ host: hostname, port: Number(port) }, async () => {
    for (const piece of typeof pieces === "string" ? [pieces] : pieces) {
      socket.write(piece, "latin1");
      if (pauseMs > 0) await new Promise((next) => setTimeout(next, pauseMs));
    }
  });
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  // A server that has said all it had to say may end the connection however it likes.
  socket.on("error", () => undefined);
  socket.on("close", () => resolve(answer));
  return promise;
}

/** Writes a request as text; the connection ends with its answer. */
export const requestText = (
  target: string,
  headers: Readonly<Record<string, string>>,
  { method = "GET", body = "" }: Readonly<{ method?: string; body?: string }> = {},
): string =>
  [
    `${method} ${target} HTTP/1.1`,
    ...Object.entries({ connection: "close", ...headers }).map(([name, value]) => `${name}: ${value}`),
    "",
    body,
  ].join("\r\n");

export const statusIn = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
