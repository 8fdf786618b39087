/** Connections that ask to become WebSockets, and those that may not: what is left of them at the server. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Answer, acceptWebSockets } from "../../../src/serve/http/web-socket.ts";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { requestText, sendRaw, statusIn } from "../../support/raw-http.ts";
import { world } from "../../support/world.ts";

const upgrade = { connection: "Upgrade", upgrade: "websocket" };
const hostOf = (url: string) => new URL(url).host;

/** A connection that has sent this and that its client keeps open, although the server has ended it. */
function sent(url: string, text: string): Socket {
  const { hostname, port } = new URL(url);
  const whole = { host: hostname, port: Number(port), allowHalfOpen: true };
  const socket = connect(whole, () => socket.write(text));
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

describe("a request for a WebSocket", () => {
  it("that is refused leaves no connection behind, and the server can end", async () => {
    const here = await openHere(await world());
    const socket = sent(here.url, requestText("/api/console/x", { host: hostOf(here.url), ...upgrade }));
    let heard = "";
    for await (const chunk of socket) heard += chunk;
    expect(statusIn(heard)).toBe(401);
    await here.close();
  });

  it("is answered where there is no console as if it had not been one, streams too", async () => {
    const here = await openHere(await world());
    const own = { host: hostOf(here.url), authorization: `Bearer ${TOKEN}`, ...upgrade };
    const socket = sent(here.url, requestText("/api/events", own));
    let heard = "";
    for await (const chunk of socket) {
      heard += chunk;
      if (heard.includes("retry:")) break;
    }
    expect([statusIn(heard), here.defects]).toEqual([200, []]);
  });
});

/** A server whose runtime leaves every upgrade to it, as Node's did before 24.9. */
async function upgrading(answer: Answer) {
  const server = createServer();
  const cut = acceptWebSockets(server, answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    cut();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ended = () => once(server.close(), "close");
  return { url: `http://127.0.0.1:${port}`, cut, ended };
}

describe("acceptWebSockets()", () => {
  const get = requestText("/api/events", { host: "x", ...upgrade });

  it("offers an upgrade to a console alone, and answers without one to the end", async () => {
    const { url, ended } = await upgrading(
      async ({ url: path }, _signal, become) => new Response(`${path} ${!!become}`),
    );
    expect(await sendRaw(url, get)).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n.*\r\n\r\n\/api\/events false$/s,
    );
    expect(await sendRaw(url, get.replace("events", "console/x"))).toMatch(/console\/x true$/);
    await ended();
  });

  it("ends a stream that its client has left", async () => {
    const cancelled = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const { url, ended } = await upgrading(async (_incoming, signal) => {
      signal.addEventListener("abort", () => aborted.resolve());
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("first")),
        cancel: () => cancelled.resolve(),
      });
      return new Response(body);
    });
    const socket = sent(url, get);
    let heard = "";
    while (!heard.endsWith("first")) heard += (await once(socket, "data"))[0];
    socket.destroy();
    await Promise.all([cancelled.promise, aborted.promise, ended()]);
  });

  it("gives what ends connections that are still open", async () => {
    const asked = Promise.withResolvers<void>();
    const { url, cut, ended } = await upgrading(() => {
      asked.resolve();
      return new Promise(() => undefined);
    });
    const left = once(sent(url, get).resume(), "end");
    await asked.promise;
    const end = ended();
    cut();
    await Promise.all([left, end]);
  });
});
