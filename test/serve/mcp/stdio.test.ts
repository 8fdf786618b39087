/** How a server process ends, and what it writes: hosts start and drop such processes all day. */
// @module-tag process
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { memorySettings, temporaryDirectory } from "../../support/memory.ts";
import { envelope, openRaw, type RawServer, shakeHands } from "../raw.ts";

async function open(data = temporaryDirectory()): Promise<RawServer> {
  const server = await openRaw(memorySettings(data, "installsAfterMs=never"));
  onTestFinished(() => void server.process.kill("SIGKILL"));
  return server;
}

const operationsIn = (data: string) => {
  const database = new DatabaseSync(join(data, "bootwright.sqlite"), { readOnly: true });
  const rows = database.prepare("select what, actor, status, error from operations order by begun_at").all();
  database.close();
  return rows.map(({ what, actor, status, error }) => ({
    what,
    actor,
    status,
    ...(error !== null && { code: JSON.parse(String(error)).code }),
  }));
};

/** A server that waits for an installer, which ignores the power button. */
async function waitingForGuest(data: string): Promise<RawServer> {
  const server = await open(data);
  await server.call("create_vm", { name: "web", iso_path: "installer.iso" });
  await server.call("start_vm", { vm: "web" });
  void server.call("stop_vm", { vm: "web", timeout_seconds: 600 }).catch(() => undefined);
  await server.heard("waiting for the guest");
  return server;
}
const rolledBack = { what: "stop_vm", actor: "mcp:raw 1", status: "rolled_back", code: "CANCELLED" };

describe("the server process", () => {
  it("ends with 0 when its stdin ends, whether or not anybody spoke", async () => {
    const silent = await openRaw(memorySettings(temporaryDirectory()), { handshake: false });
    const spoken = await open();
    await spoken.call("create_vm", { name: "web" });
    for (const server of [silent, spoken]) {
      server.process.stdin.end();
      expect(await server.ended).toEqual({ code: 0, signal: null });
      expect(server.stderr()).toBe("");
    }
  });

  it("ends quietly when its client no longer reads", async () => {
    const server = await open();
    server.process.stdout.destroy();
    server.send({ id: 99, method: "tools/list", params: {} });
    server.send({ id: 100, method: "tools/list", params: {} });
    server.process.stdin.end();
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stderr()).not.toMatch(/EPIPE|at /);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("ends with 0 on %s", async (signal) => {
    const server = await open();
    await server.call("create_vm", { name: "web" });
    server.process.kill(signal);
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it("serves a client that looks whether it speaks 2026, and then goes on as one of 2025", async () => {
    const server = await openRaw(memorySettings(temporaryDirectory()), { handshake: false });
    expect(await server.ask("server/discover", envelope)).toMatchObject({
      result: { supportedVersions: ["2026-07-28"] },
    });
    expect(await shakeHands(server)).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
    // The look's own server object is dropped by then; the hypervisors that both share must not go with it.
    for (const name of ["web", "mail"]) {
      const created = await server.call("create_vm", { name });
      expect(created.result?.structuredContent).toMatchObject({ changed: true });
    }
    server.process.stdin.end();
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it("writes nothing but protocol to stdout, whatever it is sent", async () => {
    const server = await open();
    await server.call("create_vm", { name: "web", iso_path: "installer.iso" });
    await server.call("start_vm", { vm: "web" });
    await server.call("get_vm", { vm: "nobody" });
    server.process.stdin.write("this is no JSON\n{}\n[]\n");
    await server.ask("no/such/method", {});
    expect(await server.ask("ping", {})).toMatchObject({ result: {} });
    for (const line of server.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });

  it("settles what it is doing before it ends, when its client goes away", async () => {
    const data = temporaryDirectory();
    const server = await waitingForGuest(data);
    server.process.stdin.end();
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stderr()).toBe("");
    expect(operationsIn(data).at(-1)).toEqual(rolledBack);
  });

  it("settles what it is doing before it ends on SIGTERM", async () => {
    const data = temporaryDirectory();
    const server = await waitingForGuest(data);
    server.process.kill("SIGTERM");
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(operationsIn(data).at(-1)).toEqual(rolledBack);
  });

  it("rolls back a call that its client cancels", async () => {
    const data = temporaryDirectory();
    const server = await waitingForGuest(data);
    // The handshake was the first request, so the stop is the fourth.
    server.send({ method: "notifications/cancelled", params: { requestId: 4, reason: "changed my mind" } });
    await server.call("get_vm", { vm: "web" });
    await expect.poll(() => operationsIn(data).at(-1)).toEqual(rolledBack);
  });
});
