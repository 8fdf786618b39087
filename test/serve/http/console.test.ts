// @module-tag process
/** Goal: a console is for who may use it and ends with what it stands on. Method: the server on a real socket, VMs in
 * memory whose screen is a VNC server of the test's. What it cannot see: a real screen; console.real.test.ts. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { openVnc } from "../../../src/display/vnc.ts";
import { DomainError } from "../../../src/domain/error.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import type { HttpServerOptions } from "../../../src/serve/http/server.ts";
import { addToken, removeToken } from "../../../src/serve/http/token.ts";
import { screens } from "../../display/rfb.ts";
import { skipAhead } from "../../support/clock.ts";
import { connected, refusal } from "../../support/console.ts";
import { type HttpHere, openHere, TOKEN } from "../../support/http-here.ts";
import { requestText, sendRaw, statusIn } from "../../support/raw-http.ts";
import { world } from "../../support/world.ts";

/** Whoever has not answered by the next one is gone: time enough for a busy machine. */
const HEARTBEAT_MS = 500;

async function start(more: Partial<HttpServerOptions> = {}) {
  const { path, open } = await screens();
  const wrap = (backend: Backend): Backend => ({
    ...backend,
    display: { console: (uuid, signal) => openVnc({ path }, { vm: uuid, signal }) },
  });
  const own = await world({ wrap });
  const here = await openHere(own, more);
  return { ...here, ...(await runningVm(here)), screens: open, directory: own.directory, store: own.store };
}

async function runningVm({ ask }: HttpHere) {
  const { body } = await ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
  await ask("POST", `/api/vms/${body.vm.uuid}/start`);
  return { vm: body.vm.uuid as string };
}

async function ticketFor({ ask, url, vm }: HttpHere & { vm: string }, more = {}): Promise<string> {
  const { status, body } = await ask("POST", `/api/vms/${vm}/console`, undefined, more);
  expect([status, body]).toEqual([
    200,
    { vm, path: expect.stringMatching(/^\/api\/console\/[\w-]{43}$/), subprotocol: "binary", expires_in_seconds: 30 },
  ]);
  return url + body.path;
}

/** Logs a browser in and gives its cookie. */
async function cookieOf({ loginLink, url, ask }: HttpHere): Promise<string> {
  const [, ticket] = loginLink().split("#");
  const answer = await ask("POST", "/login", { ticket }, { token: null, headers: { origin: url } });
  return answer.headers.get("set-cookie")!.split(";")[0]!;
}

describe("a console", () => {
  it("carries bytes both ways, and is told of when it opens and closes", async () => {
    const here = await start();
    const { socket, take, closed } = await connected(await ticketFor(here));
    expect(socket.protocol).toBe("binary");
    const much = Buffer.alloc(60_000, "screen ");
    for (let times = 0; times < 20; times += 1) socket.send(much);
    expect((await take(much.length * 20)).equals(Buffer.concat(Array(20).fill(much)))).toBe(true);
    socket.close();
    await closed;
    await expect
      .poll(async () => (await here.ask("GET", `/api/events/history?vm=${here.vm}`)).body.events.slice(0, 2))
      .toMatchObject([
        { type: "console.closed", data: { by: "http:main", reason: "it was closed", seconds: expect.any(Number) } },
        { type: "console.opened", data: { by: "http:main", console: expect.any(String) } },
      ]);
    expect(here.screens.at(-1)!.destroyed).toBe(true);
  });

  it("ends when the VM's screen does, and says so", async () => {
    const here = await start();
    const { closed } = await connected(await ticketFor(here));
    here.screens.at(-1)!.end();
    expect(await closed).toEqual([4000, "the VM has stopped or has ended its console"]);
  });

  it("ends with the server, which does not wait for it", async () => {
    const here = await start();
    const { closed } = await connected(await ticketFor(here));
    await here.close();
    expect(await closed).toEqual([1001, "the server is ending"]);
  });

  it("ends with the token that opened it", async () => {
    const here = await start({ consoles: { heartbeatMs: HEARTBEAT_MS } });
    const token = await furtherToken(here, ["vm:read", "vm:write"]);
    const { closed } = await connected(await ticketFor(here, { token }), { token });
    removeToken(here.directory, "further");
    expect(await closed).toEqual([4001, "the caller's token or session has ended"]);
  });

  it("ends with the session that opened it", async () => {
    const here = await start({ consoles: { heartbeatMs: HEARTBEAT_MS } });
    const cookie = await cookieOf(here);
    const browser = { token: null, headers: { cookie, origin: here.url } };
    const { closed } = await connected(await ticketFor(here, browser), browser);
    await here.ask("POST", "/logout", undefined, browser);
    expect(await closed).toEqual([4001, "the caller's token or session has ended"]);
  });

  it("ends when nobody has used it for long", async () => {
    const here = await start({ consoles: { heartbeatMs: HEARTBEAT_MS, idleMs: 100 } });
    const { closed } = await connected(await ticketFor(here));
    expect(await closed).toEqual([4002, "the console was idle for too long"]);
  });

  it("ends when the browser no longer answers", async () => {
    const here = await start({ consoles: { heartbeatMs: HEARTBEAT_MS } });
    const { socket } = await connected(await ticketFor(here));
    socket.pause();
    const screen = here.screens.at(-1)!;
    if (!screen.destroyed) await once(screen, "close");
    await expect.poll(() => lastEventOf(here)).toMatchObject({ type: "console.closed" });
  });

  it("that cannot be put on record is not opened, and the VM's screen is left", async () => {
    const here = await start();
    const url = await ticketFor(here);
    const note = () => Promise.reject(new DomainError("STORE_LOCKED", { path: "here" }));
    Object.assign(here.store, { note });
    expect(await refusal(url)).toEqual({ status: 503, code: "STORE_LOCKED" });
    const screen = here.screens.at(-1)!;
    if (!screen.destroyed) await once(screen, "close");
    expect((await lastEventOf(here)).type).not.toMatch(/^console/);
  });

  it("takes binary messages of some size and no others", async () => {
    const here = await start();
    const text = await connected(await ticketFor(here));
    text.socket.send("text");
    expect(await text.closed).toEqual([1003, "only binary messages are accepted"]);
    const large = await connected(await ticketFor(here));
    large.socket.send(Buffer.alloc(70_000));
    expect((await large.closed)[0]).toBe(1009);
  });

  it("does not read from the VM what the browser does not take", async () => {
    const here = await start();
    const { socket } = await connected(await ticketFor(here));
    socket.pause();
    const screen = here.screens.at(-1)!;
    screen.unpipe();
    let [taken, before] = [0, -1];
    const more = () => {
      while (screen.write(Buffer.alloc(65_536))) taken += 65_536;
    };
    screen.on("drain", more);
    more();
    // It takes as much as sockets hold, and then no more. No event says so: only time shows that nothing drains.
    while (taken !== before) {
      before = taken;
      await new Promise((wake) => setTimeout(wake, 300));
    }
    expect(taken).toBeLessThan(32 * 1024 ** 2);
  });
});

const furtherToken = async ({ directory, ask }: HttpHere & { directory: string }, scopes: string[]) => {
  const token = addToken(directory, "further", scopes, new Date());
  // The file is looked at now and then.
  const look = async () => (await ask("GET", "/api/isos", undefined, { token })).status;
  await expect.poll(look, { interval: 100 }).toBeOneOf([200, 403]);
  return token;
};
const lastEventOf = async ({ ask, vm }: HttpHere & { vm: string }) =>
  (await ask("GET", `/api/events/history?vm=${vm}`)).body.events[0];

describe("who opens a console", () => {
  it("needs a ticket, which is good once", async () => {
    const here = await start();
    const url = await ticketFor(here);
    await connected(url);
    const used = { status: 403, code: "CONSOLE_TICKET_INVALID" };
    expect(await refusal(url)).toEqual(used);
    expect(await refusal(`${url.slice(0, -1)}~`)).toEqual(used);
    expect(await refusal(`${here.url}/api/console/x`)).toEqual(used);
  });

  it("needs a ticket whose time is not over", async () => {
    const here = await start({ consoles: { ticketMs: 60_000 } });
    const { body } = await here.ask("POST", `/api/vms/${here.vm}/console`);
    skipAhead(60_001);
    expect(await refusal(here.url + body.path)).toMatchObject({ code: "CONSOLE_TICKET_INVALID" });
  });

  it("needs a ticket of their own, which is gone once another has shown it", async () => {
    const here = await start();
    const token = await furtherToken(here, ["vm:write"]);
    const url = await ticketFor(here);
    expect(await refusal(url, { token })).toEqual({ status: 403, code: "CONSOLE_TICKET_INVALID" });
    expect(await refusal(url)).toEqual({ status: 403, code: "CONSOLE_TICKET_INVALID" });
    const browser = { token: null, headers: { cookie: await cookieOf(here), origin: here.url } };
    expect(await refusal(await ticketFor(here), browser)).toMatchObject({ code: "CONSOLE_TICKET_INVALID" });
  });

  it("needs a token with the scope to change VMs", async () => {
    const here = await start();
    const url = await ticketFor(here);
    expect(await refusal(url, { token: null })).toEqual({ status: 401, code: "UNAUTHORISED" });
    const token = await furtherToken(here, ["vm:read"]);
    expect((await here.ask("POST", `/api/vms/${here.vm}/console`, undefined, { token })).body.code).toBe(
      "SCOPE_MISSING",
    );
    expect(await refusal(url, { token })).toEqual({ status: 403, code: "SCOPE_MISSING" });
    // Neither has used it up.
    await connected(url);
  });

  it("needs this server's own page, in a browser", async () => {
    const here = await start();
    const foreign = { status: 403, code: "ORIGIN_REFUSED" };
    const url = await ticketFor(here);
    expect(await refusal(url, { headers: { origin: "http://evil.example" } })).toEqual(foreign);
    expect(await refusal(url, { headers: { origin: "null" } })).toEqual(foreign);
    expect(await refusal(url, { headers: { host: "evil.example" } })).toEqual({ status: 421, code: "HOST_REFUSED" });
    const cookie = await cookieOf(here);
    const own = { token: null, headers: { cookie, origin: here.url } };
    const ticket = await ticketFor(here, own);
    expect(await refusal(ticket, { token: null, headers: { cookie, origin: "http://localhost:1" } })).toEqual(foreign);
    const sibling = { cookie, origin: here.url, "sec-fetch-site": "same-site" };
    expect(await refusal(ticket, { token: null, headers: sibling })).toEqual(foreign);
    expect(await refusal(await ticketFor(here, own), { token: null, headers: { cookie } })).toEqual(foreign);
    await connected(await ticketFor(here, own), own);
  });

  it("is refused while too many consoles are open", async () => {
    const here = await start({ consoles: { most: 1 } });
    const [one, two] = [await ticketFor(here), await ticketFor(here)];
    const { socket, closed } = await connected(one);
    const full = { status: 503, code: "STREAMS_EXHAUSTED" };
    expect(await refusal(two)).toEqual(full);
    expect((await here.ask("POST", `/api/vms/${here.vm}/console`)).body.code).toBe(full.code);
    socket.close();
    await closed;
    await expect.poll(async () => (await here.ask("POST", `/api/vms/${here.vm}/console`)).status).toBe(200);
    await connected(await ticketFor(here));
  });

  it("needs to ask for a WebSocket", async () => {
    const here = await start();
    const path = new URL(await ticketFor(here)).pathname;
    const plain = await here.ask("GET", path);
    expect([plain.status, plain.body.code]).toEqual([426, "UPGRADE_REQUIRED"]);
    const { host } = new URL(here.url);
    const headers = { host, authorization: `Bearer ${TOKEN}`, connection: "Upgrade", upgrade: "websocket" };
    const raw = async (target: string, more = {}) =>
      statusIn(await sendRaw(here.url, requestText(target, { ...headers, ...more })));
    expect(await raw("/api/../api/vms")).toBe(400);
    expect(await raw("/api/vms", { connection: "Upgrade, close" })).toBe(200);
    expect(await raw("/api/console/x", { host: "a b" })).toBe(400);
    // A handshake without a key.
    expect(await raw(path)).toBe(400);
    expect(await raw("/api/vms", { upgrade: "h2c", connection: "Upgrade, close" })).toBe(200);
    expect(here.defects).toEqual([]);
  });
});

describe("POST /api/vms/{vm}/console where there is none", () => {
  it("says why", async () => {
    const here = await start();
    await here.ask("POST", `/api/vms/${here.vm}/stop`, { force: true });
    const { body: asked } = await here.ask("POST", `/api/vms/${here.vm}/stop`, { force: true });
    await here.ask("POST", `/api/vms/${here.vm}/stop`, { force: true, confirm: asked.details?.confirm });
    const off = await here.ask("POST", `/api/vms/${here.vm}/console`);
    expect([off.status, off.body]).toMatchObject([
      409,
      { code: "CONSOLE_UNAVAILABLE", details: { reason: "it is off" } },
    ]);
    expect((await here.ask("POST", "/api/vms/nothing/console")).status).toBe(404);
    expect((await here.ask("POST", `/api/vms/${here.vm}/console`, "[]")).body.code).toBe("REQUEST_MALFORMED");
    expect((await here.ask("POST", `/api/vms/${here.vm}/console`, { x: 1 })).body.code).toBe("INPUT_INVALID");
  });

  it("says that this backend has none", async () => {
    const here = await openHere(await world());
    const { vm } = await runningVm(here);
    const { status, body } = await here.ask("POST", `/api/vms/${vm}/console`);
    const details = { group: "display", connection: "local", backend: "memory", connections: [] };
    expect([status, body]).toMatchObject([422, { code: "GROUP_UNSUPPORTED", details }]);
  });

  it("is no place of a server that only reads", async () => {
    const own = await world();
    const here = await openHere(own, {}, { tools: [] });
    expect((await here.ask("POST", "/api/vms/x/console")).status).toBe(404);
  });
});
