/** What is too large, too slow, too many or not what it seems, and how a server ends. */
// @module-tag process
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { openHttp } from "../../support/http.ts";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { requestText, sendRaw, statusIn } from "../../support/raw-http.ts";
import { world } from "../../support/world.ts";

const own = ({ url }: { url: string }) => ({ host: new URL(url).host, authorization: `Bearer ${TOKEN}` });

describe("a body", () => {
  const json = { "content-type": "application/json" };

  it("of more than 1 MiB is refused, whether its length is stated or not, and the connection goes on or ends", async () => {
    const server = await openHere(await world());
    const large = "x".repeat(2 ** 20);
    const stated = await server.ask("POST", "/api/vms", { name: large });
    expect(stated).toMatchObject({ status: 413, body: { code: "MESSAGE_TOO_LARGE" } });
    const head = requestText(
      "/api/vms",
      { ...own(server), ...json, "transfer-encoding": "chunked" },
      { method: "POST" },
    );
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const answer = await sendRaw(server.url, [head, ...Array(20).fill(chunk), "0\r\n\r\n"]);
    expect(statusIn(answer)).toBe(413);
    expect((await server.ask("GET", "/api/vms")).status).toBe(200);
  });

  it("that does not come is not waited for", async () => {
    const server = await openHere(await world(), { limits: { requestMs: 300, headersMs: 200 } });
    const length = { ...own(server), ...json, "content-length": "1000" };
    const slow = await sendRaw(server.url, [requestText("/api/vms", length, { method: "POST" }), '{"name":'], 50);
    expect(statusIn(slow)).toBe(408);
    const headers = await sendRaw(server.url, ["GET /api/vms HTTP/1.1\r\n", "host: x\r\n"], 50);
    expect([408, Number.NaN]).toContain(statusIn(headers));
    expect((await server.ask("GET", "/api/vms")).body.total).toBe(0);
  });

  it("that comes too slowly is refused, and says that nothing was done", async () => {
    const server = await openHere(await world(), { limits: { bodyMs: 200 } });
    const length = { ...own(server), ...json, "content-length": "1000" };
    for (const path of ["/api/vms", "/mcp"]) {
      const slow = await sendRaw(server.url, [requestText(path, length, { method: "POST" }), '{"name":'], 50);
      expect(statusIn(slow)).toBe(408);
      expect(JSON.parse(slow.slice(slow.indexOf("{")))).toMatchObject({
        code: "REQUEST_TIMED_OUT",
        details: { limitMs: 200 },
      });
    }
  });

  it("that is not UTF-8, or ends early, changes nothing", async () => {
    const server = await openHere(await world());
    const body = '{"name":"web\xff"}';
    const length = { ...own(server), ...json, "content-length": String(body.length) };
    expect(statusIn(await sendRaw(server.url, requestText("/api/vms", length, { method: "POST", body })))).toBe(400);
    const { hostname, port } = new URL(server.url);
    await new Promise<void>((closed) => {
      const socket = connect({ host: hostname, port: Number(port) }, () => {
        socket.write(requestText("/api/vms", length, { method: "POST", body: '{"name"' }), () => socket.destroy());
      });
      socket.on("close", () => closed());
    });
    expect((await server.ask("GET", "/api/vms")).body.total).toBe(0);
    expect(server.defects).toEqual([]);
  });
});

describe("a path", () => {
  const tricks = [
    "/api/../api/vms",
    "/api/%2e%2e/api/vms",
    "/api/.%2E/api/vms",
    "/api/./vms",
    "//api/vms",
    "/api//vms",
    "/api/vms/%2e%2e",
    "/api/vms/..%2f..",
    "/api/vms/web%00",
    "/api/vms/web%0d%0ax",
    "/api\\vms",
    "/api/%5cvms",
    "/api/vms/%",
    "/api/vms/%zz",
    "/api/vms/w\xe9b",
    "http://127.0.0.1/api/vms",
    "*",
  ];
  it.each(tricks)("%j is not what it seems, and refused", async (trick) => {
    const server = await openHere(await world());
    const answer = await sendRaw(server.url, requestText(trick, own(server)));
    expect(statusIn(answer)).toBe(400);
    expect(server.defects).toEqual([]);
  });

  it("may have any letter in it that is encoded as it must be", async () => {
    const server = await openHere(await world());
    for (const name of ["w%C3%A9b", "a%20b", "local%2Fweb", "%25", "a.b", "...", "%F0%9F%92%A9", "a;b", "a:b@c"])
      expect((await server.ask("GET", `/api/vms/${name}`)).body.code).toBe("VM_NOT_FOUND");
    // Bytes that are no text are a name that no VM has.
    expect((await server.ask("GET", "/api/vms/%ff")).status).toBe(404);
  });

  it("and what else stands in the head is bounded", async () => {
    const server = await openHere(await world());
    const long = await sendRaw(server.url, requestText(`/api/vms?x=${"x".repeat(20_000)}`, own(server)));
    expect([414, 431]).toContain(statusIn(long));
    const big = await sendRaw(server.url, requestText("/api/vms", { ...own(server), x: "x".repeat(20_000) }));
    expect(statusIn(big)).toBe(431);
    const smuggled = { ...own(server), "content-length": "4", "transfer-encoding": "chunked" };
    expect(statusIn(await sendRaw(server.url, requestText("/api/vms", smuggled, { method: "POST" })))).toBe(400);
    const split = await server.ask("GET", "/api/vms/x", undefined, { headers: { "if-none-match": "\t" } });
    expect(split.status).toBe(404);
  });
});

/** Connections that say nothing, and how many of them are still open. */
async function silent({ url }: { url: string }, count: number) {
  const { hostname, port } = new URL(url);
  const closed: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => undefined).on("close", () => closed.push(index));
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
  }
  return { closed };
}

describe("connections", () => {
  it("that say nothing keep nobody out: of more than their share the one that is open longest ends", async () => {
    const server = await openHere(await world(), { limits: { connections: 6, unauthenticated: 4 } });
    const { closed } = await silent(server, 20);
    const answer = await sendRaw(server.url, requestText("/api/vms", own(server)));
    expect(statusIn(answer)).toBe(200);
    await expect.poll(() => closed).toEqual(Array.from({ length: 17 }, (_, index) => index));
    const login = requestText("/login", { host: own(server).host });
    expect(statusIn(await sendRaw(server.url, login))).toBe(200);
  });

  it("that somebody with a token has asked on stay, whoever comes", async () => {
    const server = await openHere(await world(), { limits: { connections: 6, unauthenticated: 2 } });
    const events = await fetch(`${server.url}/api/events`, { headers: { authorization: `Bearer ${TOKEN}` } });
    await silent(server, 20);
    const { body } = await server.ask("POST", "/api/vms", { name: "web" });
    let heard = "";
    for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
      heard += chunk;
      if (heard.includes(body.vm.uuid)) break;
    }
    expect(heard).toContain(body.vm.uuid);
  });

  it("beyond the limit are ended, whosever they are", async () => {
    const server = await openHere(await world(), { limits: { connections: 2 } });
    const authorization = `Bearer ${TOKEN}`;
    const [one, two] = [new AbortController(), new AbortController()];
    for (const { signal } of [one, two])
      await fetch(`${server.url}/api/events`, { headers: { authorization }, signal });
    expect(await sendRaw(server.url, requestText("/api/vms", own(server)))).toBe("");
    one.abort();
    for (let status = 0; status !== 200; )
      status = statusIn(await sendRaw(server.url, requestText("/api/vms", own(server))));
    two.abort();
  });
});

describe("the end", () => {
  it("lets what is under way come to its end, and takes nothing new", async () => {
    const server = await openHttp({
      guest: ["installsAfterMs=never", "installerHonoursShutdown=true", "shutdownMs=500"],
    });
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", "/api/vms/web/start");
    const begun = await server.ask("POST", "/api/vms/web/stop", {}, { headers: { prefer: "respond-async" } });
    expect(begun.status).toBe(202);
    const waiting = server.ask("POST", "/api/vms/web/start");
    await server.ask("GET", "/api/vms");
    server.process.kill("SIGTERM");
    expect((await waiting).status).toBe(200);
    expect(await server.ended).toBe(0);
    expect(server.stderr()).not.toMatch(/defect/);
    await expect(server.ask("GET", "/api/vms")).rejects.toThrow();
    const next = await openHttp({ data: server.data });
    const { body } = await next.ask("GET", `/api/operations/${begun.body.operation}`);
    expect(body.status).toBe("applied");
  });

  it("does not wait for ever: what goes on is cancelled and settled", async () => {
    const server = await openHttp();
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", "/api/vms/web/start");
    const stop = { timeout_seconds: 600 };
    const { body } = await server.ask("POST", "/api/vms/web/stop", stop, { headers: { prefer: "respond-async" } });
    server.process.kill("SIGTERM");
    expect(await server.ended).toBe(0);
    const next = await openHttp({ data: server.data });
    const ended = await next.ask("GET", `/api/operations/${body.operation}`);
    expect(ended.body).toMatchObject({ status: "rolled_back", error: { code: "CANCELLED" } });
  });

  it("is told with its reason where it could not begin", async () => {
    const server = await openHttp();
    const { run } = await import("../process.ts");
    const listen = ["--listen", new URL(server.url).host];
    const second = await run(["--data", server.data, "--connection", "local=memory", ...listen, "serve"]);
    expect([second.code, second.stderr]).toEqual([2, expect.stringContaining("EADDRINUSE")]);
    const stray = await run(["--data", server.data, "--connection", "local=memory", "serve", "8420"]);
    expect([stray.code, stray.stderr]).toEqual([2, expect.stringContaining('unknown command "8420"')]);
  });
});
