/** What /mcp refuses, and how sessions of clients of 2025 and streams end. */
// @module-tag process
import { describe, expect, it } from "vitest";
import { removeToken } from "../../../src/serve/http/token.ts";
import { openHttp } from "../../support/http.ts";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { tokenFor } from "../../support/token.ts";
import { type World, world } from "../../support/world.ts";

const accept = "application/json, text/event-stream";
const clientInfo = { name: "raw", version: "1" };
const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
};
const list = { jsonrpc: "2.0", id: 2, method: "tools/list", params: {} };
const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": clientInfo,
};
type Place = Readonly<{ url: string; token: string }>;
type Sent = { token?: string | null; session?: string; headers?: Record<string, string>; signal?: AbortSignal };

/** A server in this process. */
const served = async (own?: World) => ({ ...(await openHere(own ?? (await world()))), token: TOKEN });

function send(server: Place, method: string, body: unknown, { token, session, headers, signal }: Sent = {}) {
  const shown = token === undefined ? server.token : token;
  return fetch(`${server.url}/mcp`, {
    method,
    headers: {
      accept,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(shown && { authorization: `Bearer ${shown}` }),
      ...(session && { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  });
}
/** A request of the protocol of 2026. */
function ask(
  server: Place,
  method: string,
  params: Record<string, unknown>,
  { elicits = false, ...sent }: Sent & { elicits?: boolean } = {},
) {
  const capabilities = { "io.modelcontextprotocol/clientCapabilities": elicits ? { elicitation: { form: {} } } : {} };
  const _meta = { ...envelope, ...capabilities };
  const name = params.name === undefined ? {} : { "mcp-name": String(params.name) };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": method, ...name };
  return send(server, "POST", { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } }, { ...sent, headers });
}
async function begin(server: Place, sent: Sent = {}): Promise<string> {
  const answer = await send(server, "POST", initialize, sent);
  expect(await answer.text()).toContain('"protocolVersion":"2025-11-25"');
  const session = answer.headers.get("mcp-session-id")!;
  const ready = { jsonrpc: "2.0", method: "notifications/initialized" };
  expect((await send(server, "POST", ready, { ...sent, session })).status).toBe(202);
  return session;
}
const textsIn = async (response: Response, until: string) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  while (!heard.includes(until)) {
    const { done, value } = await reader.read();
    if (done) break;
    heard += value;
  }
  return { heard, reader };
};

describe("a request to /mcp", () => {
  it("is answered to nobody without a token of this server's", async () => {
    const server = await served();
    for (const token of [null, "x".repeat(43)]) {
      for (const refused of [
        await send(server, "POST", initialize, { token }),
        await ask(server, "tools/list", {}, { token }),
      ]) {
        expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="bootwright"']);
        expect(await refused.json()).toMatchObject({ code: "UNAUTHORISED" });
      }
    }
    const metadata = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`);
    expect(metadata.status).toBe(404);
  });

  it("is not answered to another origin's page, nor under another host's name", async () => {
    const server = await served();
    const foreign = await send(server, "POST", initialize, { headers: { origin: "https://evil.example" } });
    expect([foreign.status, (await foreign.json()).code]).toEqual([403, "ORIGIN_REFUSED"]);
  });

  it("may not answer what somebody else was asked", async () => {
    const own = await world();
    const other = tokenFor(own.directory, "other", "vm:read", "vm:write");
    const server = await served(own);
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", "/api/vms/web/action", { action: "start" });
    const cut = { name: "stop_vm", arguments: { vm: "web", force: true } };
    const asked = await ask(server, "tools/call", cut, { elicits: true });
    const { requestState } = (await asked.json()).result;
    const inputResponses = { confirm: { action: "accept", content: { confirm: true } } };
    const answer = async (token: string) =>
      (await ask(server, "tools/call", { ...cut, requestState, inputResponses }, { elicits: true, token })).json();
    expect(await answer(other)).toMatchObject({ error: { code: -32_602 } });
    expect(await answer(server.token)).toMatchObject({ result: { structuredContent: { changed: true } } });
  });

  it("is bounded in length, and is JSON", async () => {
    const server = await served();
    const long = await send(server, "POST", JSON.stringify({ ...list, params: { more: "x".repeat(2 ** 20) } }));
    expect([long.status, (await long.json()).code]).toEqual([413, "MESSAGE_TOO_LARGE"]);
    const broken = await send(server, "POST", "{");
    expect([broken.status, await broken.json()]).toMatchObject([400, { error: { code: -32_700 } }]);
    const text = await send(server, "POST", "hello", { headers: { "content-type": "text/plain" } });
    expect([text.status, (await text.json()).code]).toEqual([415, "MEDIA_TYPE_UNSUPPORTED"]);
  });

  it("may change only so much in a time, in however few requests it asks for it, while looks go on", async () => {
    const server = await served();
    const params = { name: "set_boot_order", arguments: { vm: "none", boot_order: "hd" } };
    const changes = Array.from({ length: 201 }, (_, id) => ({ jsonrpc: "2.0", id, method: "tools/call", params }));
    const refused = await send(server, "POST", changes, { session: await begin(server) });
    expect([refused.status, (await refused.json()).code]).toEqual([429, "RATE_EXCEEDED"]);
    expect((await ask(server, "tools/call", { name: "list_vms", arguments: {} })).status).toBe(200);
  });
});

describe("a session", () => {
  it("is nobody's but of the token that it was opened with", async () => {
    const own = await world();
    const other = tokenFor(own.directory, "other", "vm:read", "vm:write", "vm:destroy");
    const server = await served(own);
    const session = await begin(server);
    for (const [method, body] of [
      ["POST", list],
      ["GET", undefined],
      ["DELETE", undefined],
    ] as const) {
      const refused = await send(server, method, body, { session, token: other });
      expect([refused.status, await refused.json()]).toMatchObject([404, { error: { message: "Session not found" } }]);
    }
    expect((await send(server, "POST", list, { session })).status).toBe(200);
  });

  it("ends when its client says so, and is then not found", async () => {
    const server = await served();
    const session = await begin(server);
    const stream = await send(server, "GET", undefined, { session });
    expect((await send(server, "DELETE", undefined, { session })).status).toBe(200);
    expect(await stream.text()).not.toContain("error");
    const gone = await send(server, "POST", list, { session });
    expect([gone.status, await gone.json()]).toMatchObject([404, { error: { code: -32_001 } }]);
    expect((await send(server, "POST", list)).status).toBe(400);
  });

  it("that is cancelled by its end leaves the VM settled", async () => {
    const server = await served();
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", "/api/vms/web/action", { action: "start" });
    const session = await begin(server);
    const stop = { name: "stop_vm", arguments: { vm: "web", timeout_seconds: 600 }, _meta: { progressToken: 1 } };
    const stopping = await send(
      server,
      "POST",
      { jsonrpc: "2.0", id: 3, method: "tools/call", params: stop },
      { session },
    );
    await textsIn(stopping, "waiting for the guest");
    await send(server, "DELETE", undefined, { session });
    await expect
      .poll(async () => (await server.ask("GET", "/api/operations?limit=1")).body.operations[0])
      .toMatchObject({
        status: "rolled_back",
        actor: "mcp-http:main:raw 1",
      });
  });

  it("goes on where it was cut off: what its client missed is told again", async () => {
    const server = await served();
    const session = await begin(server);
    const cut = new AbortController();
    const call = { jsonrpc: "2.0", id: 4, method: "tools/call", params: { name: "list_vms", arguments: {} } };
    const first = await send(server, "POST", call, { session, signal: cut.signal });
    const { heard, reader } = await textsIn(first, "\n\n");
    const place = /^id: (\S+)$/m.exec(heard)![1]!;
    await reader.cancel();
    cut.abort();
    const again = await send(server, "GET", undefined, { session, headers: { "last-event-id": place } });
    expect((await textsIn(again, '"id":4')).heard).toContain("There are no VMs");
  });

  it("is one of so many: the one that was idle longest makes room", async () => {
    const { url } = await openHere(await world(), { mcp: { limits: { sessions: 5 } } });
    const server = { url, token: TOKEN };
    const first = await begin(server);
    const busy = await begin(server);
    const stream = await send(server, "GET", undefined, { session: busy });
    for (let opened = 2; opened < 5; opened++) await begin(server);
    expect((await send(server, "POST", list, { session: first })).status).toBe(200);
    for (let opened = 0; opened < 4; opened++) await begin(server);
    expect((await send(server, "POST", list, { session: first })).status).toBe(404);
    expect((await send(server, "POST", list, { session: busy })).status).toBe(200);
    await stream.body!.cancel();
  });
});

describe("a session or a stream", () => {
  it("ends when nothing is asked in it for a while and nobody listens", async () => {
    const idleMs = 3_000;
    const { url } = await openHere(await world(), { mcp: { limits: { idleMs } } });
    const server = { url, token: TOKEN };
    const [silent, heard] = [await begin(server), await begin(server)];
    const stream = await send(server, "GET", undefined, { session: heard });
    const statusOf = async (session: string) => (await send(server, "POST", list, { session })).status;
    // To ask is to use it, so that nobody asks again before it can have ended.
    const seldom = { interval: idleMs * 2 };
    await expect.poll(() => statusOf(silent), seldom).toBe(404);
    expect(await statusOf(heard)).toBe(200);
    await stream.body!.cancel();
    await expect.poll(() => statusOf(heard), seldom).toBe(404);
  });

  it("ends when its token is taken back", async () => {
    const own = await world();
    const token = tokenFor(own.directory, "guest", "vm:read");
    const { url } = await openHere(own, { heartbeatMs: 20 });
    const server = { url, token };
    const listening = { notifications: { resourceSubscriptions: ["bootwright://vms"] } };
    const streams = [
      await send(server, "GET", undefined, { session: await begin(server) }),
      await ask(server, "subscriptions/listen", listening),
    ];
    removeToken(own.directory, "guest");
    for (const stream of streams) await stream.text();
    expect((await ask(server, "tools/list", {})).status).toBe(401);
  });
});

describe("a stream", () => {
  it("of a client of 2026 that goes away cancels the call, which settles", async () => {
    const server = await served();
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", "/api/vms/web/action", { action: "start" });
    const gone = new AbortController();
    const stop = { name: "stop_vm", arguments: { vm: "web", timeout_seconds: 600 } };
    const stopping = ask(server, "tools/call", stop, { signal: gone.signal });
    await expect
      .poll(async () => (await server.ask("GET", "/api/operations?limit=1")).body.operations[0].tool)
      .toBe("stop_vm");
    gone.abort();
    await expect(stopping).rejects.toThrow();
    await expect
      .poll(async () => (await server.ask("GET", "/api/operations?limit=1")).body.operations[0].status)
      .toBe("rolled_back");
  });

  it("ends when the server does, which waits for nobody who only listens", async () => {
    const server = await openHttp();
    const session = await begin(server);
    const old = await send(server, "GET", undefined, { session });
    const listening = { notifications: { resourceSubscriptions: ["bootwright://vms"] } };
    const later = await ask(server, "subscriptions/listen", listening);
    await textsIn(later.clone(), "acknowledged");
    server.process.kill("SIGTERM");
    expect(await server.ended).toBe(0);
    expect(await old.text()).toBe("");
    expect(await later.text()).toContain('"resultType":"complete"');
    expect(server.stderr()).not.toMatch(/defect|Error/);
  });
});
