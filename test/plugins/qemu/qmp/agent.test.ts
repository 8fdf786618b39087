// Goal: whatever is at the other end of an agent's channel, an answer or a refusal comes in time. Method: a peer on a real
// socket. What it cannot see: a real agent; running-guest.real.test.ts.

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { AgentSilent, askAgent } from "../../../../plugins/qemu/qmp/agent.ts";
import { temporaryDirectory } from "../../../support/memory.ts";

type Request = Readonly<{ execute: string; arguments?: { id: number } }>;

async function agent(answer: (request: Request, socket: Socket) => void): Promise<string> {
  const path = join(temporaryDirectory(), "agent");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    createInterface(socket).on("line", (line) => answer(JSON.parse(line), socket));
  }).listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return path;
}
const say = (socket: Socket, message: unknown) => socket.write(`${JSON.stringify(message)}\n`);
const ask = (path: string, ...commands: string[]) =>
  askAgent(
    path,
    commands.map((execute) => ({ execute })),
    { timeoutMs: 300 },
  );

describe("askAgent()", () => {
  it("passes over what was meant for others, and what is no JSON", async () => {
    const path = await agent(({ execute, arguments: args }, socket) => {
      if (execute !== "guest-sync") return say(socket, { return: `done ${execute}` });
      say(socket, { return: "somebody else's" });
      socket.write('half a line"}\n[]\n');
      say(socket, { return: args!.id });
    });
    expect(await ask(path, "guest-get-osinfo", "guest-get-fsinfo")).toEqual([
      "done guest-get-osinfo",
      "done guest-get-fsinfo",
    ]);
  });
  it("leaves an answer out that the agent refuses to give", async () => {
    const path = await agent(({ execute, arguments: args }, socket) =>
      say(
        socket,
        execute === "guest-sync" ? { return: args!.id } : { error: { class: "CommandNotFound", desc: "no" } },
      ),
    );
    expect(await ask(path, "guest-get-fsinfo")).toEqual([undefined]);
  });
  it.each<[string, (request: Request, socket: Socket) => void]>([
    ["says nothing", () => undefined],
    ["hangs up", (_request, socket) => socket.destroy()],
    ["never ends its line", (_request, socket) => socket.write("x".repeat(2 * 1024 ** 2))],
    ["never says what was asked for", (_request, socket) => say(socket, { return: -1 })],
  ])("gives up on one that %s", async (_what, answer) => {
    await expect(ask(await agent(answer), "guest-ping")).rejects.toBeInstanceOf(AgentSilent);
  });
  it("says so when there is no channel", async () => {
    await expect(ask(join(temporaryDirectory(), "agent"), "guest-ping")).rejects.toBeInstanceOf(AgentSilent);
  });
});
