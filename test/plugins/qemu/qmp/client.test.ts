// Goal: the client keeps to the protocol with any peer. Method: a peer on a real socket that says what a test wants. What
// it cannot see: QEMU itself, which the real tests speak to.

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { isListening, NotListening, openQmp, QmpLost, QmpRefused } from "../../../../plugins/qemu/qmp/client.ts";
import { temporaryDirectory } from "../../../support/memory.ts";

type Request = Readonly<{ execute: string; id: number; arguments?: unknown }>;
type Peer = (request: Request, say: (message: object) => void, socket: Socket) => void;

const greeting = { QMP: { version: {}, capabilities: [] } };

async function peer(answer: Peer, first: object | null = greeting): Promise<string> {
  const path = join(temporaryDirectory(), "qmp");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    const say = (message: object) => void socket.write(`${JSON.stringify(message)}\r\n`);
    if (first) say(first);
    createInterface(socket).on("line", (line) => {
      const request = JSON.parse(line) as Request;
      if (request.execute === "qmp_capabilities") say({ return: {}, id: request.id });
      else answer(request, say, socket);
    });
  }).listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return path;
}

describe("openQmp()", () => {
  it("gives each command its own answer, in whatever order they come, events between them", async () => {
    const held: Request[] = [];
    const path = await peer((request, say) => {
      held.push(request);
      if (held.length < 2) return;
      say({ event: "STOP", timestamp: { seconds: 1, microseconds: 0 } });
      for (const { execute, id } of held.reverse()) say({ return: `done ${execute}`, id });
    });
    const qmp = await openQmp(path);
    expect(await Promise.all([qmp.execute("one"), qmp.execute("two")])).toEqual(["done one", "done two"]);
    qmp.close();
  });
  it("tells a refusal in QEMU's words", async () => {
    const path = await peer(({ id }, say) => say({ error: { class: "GenericError", desc: "Device is locked" }, id }));
    const qmp = await openQmp(path);
    const refused = await qmp.execute("eject").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QmpRefused);
    expect(refused).toMatchObject({ message: "Device is locked", command: "eject" });
    qmp.close();
  });
  it("names the command that may have been done when the connection breaks", async () => {
    const path = await peer((_request, _say, socket) => socket.destroy());
    const qmp = await openQmp(path);
    await expect(qmp.execute("system_powerdown")).rejects.toMatchObject({ sent: "system_powerdown" });
    await expect(qmp.execute("query-status")).rejects.toMatchObject({ sent: undefined });
  });
  it("waits no longer for an answer than it was told", async () => {
    const path = await peer(() => undefined);
    const qmp = await openQmp(path, { timeoutMs: 100 });
    await expect(qmp.execute("query-block")).rejects.toBeInstanceOf(QmpLost);
    qmp.close();
  });
  it("waits no longer for a greeting, and none after an abort", async () => {
    const path = await peer(() => undefined, null);
    await expect(openQmp(path, { timeoutMs: 100 })).rejects.toBeInstanceOf(QmpLost);
    await expect(openQmp(path, { signal: AbortSignal.abort(new Error("given up")) })).rejects.toThrow("given up");
  });
  it("ends a session with a peer that does not speak QMP", async () => {
    const path = await peer((_request, _say, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n"));
    const qmp = await openQmp(path);
    await expect(qmp.execute("query-status")).rejects.toThrow(/no JSON/);
  });
  it("says when nobody is there", async () => {
    const path = join(temporaryDirectory(), "qmp");
    await expect(openQmp(path)).rejects.toBeInstanceOf(NotListening);
    expect(await isListening(path)).toBe(false);
    expect(await isListening(await peer(() => undefined))).toBe(true);
  });
});
