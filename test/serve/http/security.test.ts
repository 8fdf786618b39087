/** Who is not let in, and what is not taken, on a real server over a real socket. */
// @module-tag process
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openHttp } from "../../support/http.ts";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import { requestText, sendRaw, statusIn } from "../../support/raw-http.ts";
import { world } from "../../support/world.ts";
import { run } from "../process.ts";

const places = ["/", "/api/vms", "/api/events", "/api/openapi.json", "/api/docs", "/plugins/x/", "/nothing", "/logout"];

describe("the token", () => {
  it("is needed everywhere, on loopback too", async () => {
    const { ask } = await openHere(await world(), { rates: { unauthenticated: { burst: 1e6, perSecond: 1e6 } } });
    for (const path of places) {
      for (const token of [null, "", "x", TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase()]) {
        const answer = await ask(path === "/logout" ? "POST" : "GET", path, undefined, { token });
        expect([path, token, answer.status]).toEqual([path, token, 401]);
        expect(answer.body.code).toBe("UNAUTHORISED");
        expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
      }
      for (const scheme of ["Basic", "Token", ""])
        expect(
          (await ask("GET", path, undefined, { token: null, headers: { authorization: `${scheme} ${TOKEN}` } })).status,
        ).toBe(401);
      expect((await ask("GET", `${path}?access_token=${TOKEN}`, undefined, { token: null })).status).toBe(401);
    }
  });

  it("is made at the first start, for its owner alone, and is the same at the next", async () => {
    const data = temporaryDirectory();
    const [one, two] = await Promise.all([openHttp({ data }), openHttp({ data })]);
    expect(statSync(join(data, "http.token")).mode & 0o777).toBe(0o600);
    expect(one.token).toMatch(/^[\w-]{43}$/);
    expect(two.token).toBe(one.token);
    chmodSync(join(data, "http.token"), 0o644);
    const three = await openHttp({ data });
    expect(statSync(join(data, "http.token")).mode & 0o777).toBe(0o600);
    expect((await three.ask("GET", "/api/vms")).status).toBe(200);
    expect([one, two, three].map(({ stderr }) => stderr()).join()).not.toContain(one.token);
  });

  it("comes from the environment or a file, and one that is too short is refused", async () => {
    const data = temporaryDirectory();
    const file = join(data, "given");
    writeFileSync(file, `${TOKEN}\n`);
    const given = await openHttp({ env: { BOOTWRIGHT_TOKEN: TOKEN } });
    expect((await given.ask("GET", "/api/vms")).status).toBe(200);
    const settings = ["--data", data, "--connection", "local=memory", "--listen", "0"];
    writeFileSync(file, "short");
    const short = await run([...settings, "--token-file", file, "serve"]);
    expect([short.code, short.stderr]).toEqual([2, expect.stringContaining("at least 32 characters")]);
    const missing = await run([...settings, "--token-file", join(data, "none"), "serve"]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("Cannot read token file")]);
  });

  it("that is wrong too often is answered 429, and the right one all the same", async () => {
    const { ask } = await openHere(await world());
    const wrong = await Promise.all(
      Array.from({ length: 40 }, () => ask("GET", "/api/vms", undefined, { token: "x" })),
    );
    const statuses = wrong.map(({ status }) => status);
    expect([statuses.includes(401), statuses.includes(429)]).toEqual([true, true]);
    expect(wrong.find(({ status }) => status === 429)!.headers.get("retry-after")).toBe("1");
    expect((await ask("GET", "/api/vms")).status).toBe(200);
  });

  it("that asks too often is answered 429, whatever the others do", async () => {
    const rate = { burst: 3, perSecond: 0.001 };
    const { ask } = await openHere(await world(), { rates: { reads: rate } });
    const statuses = [];
    for (let index = 0; index < 5; index++) statuses.push((await ask("GET", "/api/vms")).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    expect((await ask("POST", "/api/vms", { name: "web" })).status).toBe(201);
  });
});

describe("a further token", () => {
  const add = async (data: string, name: string, ...scopes: string[]) =>
    (await run(["--data", data, "token", "add", name, ...scopes.flatMap((scope) => ["--scope", scope])])).stdout.trim();

  it("may do what its scopes say and no more, is named in the history, and ends when it is removed", async () => {
    const data = temporaryDirectory();
    const server = await openHttp({ data });
    const reader = await add(data, "reader", "vm:read");
    const writer = await add(data, "writer", "vm:read", "vm:write");
    const { ask } = server;
    await until(async () => (await ask("GET", "/api/vms", undefined, { token: writer })).status === 200);
    expect((await ask("GET", "/api/vms", undefined, { token: reader })).status).toBe(200);
    const refused = await ask("POST", "/api/vms", { name: "web" }, { token: reader });
    expect(refused).toMatchObject({ status: 403, body: { code: "SCOPE_MISSING", details: { scope: "vm:write" } } });
    expect((await ask("POST", "/api/vms", { name: "web" }, { token: writer })).status).toBe(201);
    const gone = await ask("DELETE", "/api/vms/web", undefined, { token: writer });
    expect(gone).toMatchObject({ status: 403, body: { details: { scope: "vm:destroy" } } });
    expect((await ask("GET", "/api/operations")).body.operations[0].actor).toBe("http:writer");
    const kept = readFileSync(join(data, "http.tokens.json"), "utf8");
    expect([kept.includes(reader), statSync(join(data, "http.tokens.json")).mode & 0o777]).toEqual([false, 0o600]);
    expect((await run(["--data", data, "token", "list"])).stdout).toBe("reader  vm:read\nwriter  vm:read vm:write");
    expect((await run(["--data", data, "token", "remove", "writer"])).code).toBe(0);
    await until(async () => (await ask("GET", "/api/vms", undefined, { token: writer })).status === 401);
    expect((await ask("GET", "/api/vms", undefined, { token: reader })).status).toBe(200);
  });

  it("needs a name and scopes that there are", async () => {
    const data = temporaryDirectory();
    for (const args of [
      ["add"],
      ["add", "x"],
      ["add", "x", "--scope", "all"],
      ["add", "main", "--scope", "vm:read"],
      ["add", "a b", "--scope", "vm:read"],
      ["remove", "x"],
      ["list", "x"],
      [],
    ]) {
      const { code, stdout, stderr } = await run(["--data", data, "token", ...args]);
      expect([args, code, stdout]).toEqual([args, 2, ""]);
      expect(stderr).not.toBe("");
    }
  });

  it("in a file that cannot be read lets nobody in", async () => {
    const data = temporaryDirectory();
    writeFileSync(join(data, "http.tokens.json"), '[{"name":"x","sha256":"","scopes":["all"]}]');
    const server = await openHttp({ data });
    expect((await server.ask("GET", "/api/vms", undefined, { token: "x" })).status).toBe(401);
    expect((await server.ask("GET", "/api/vms")).status).toBe(200);
    expect(server.stderr()).toContain("Cannot read");
  });
});

/** Servers look at their tokens now and then. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((next) => setTimeout(next, 50));
}

describe("Host and Origin", () => {
  const hostOf = ({ url }: { url: string }) => new URL(url).host;

  it("must be this server's: another name for this address is refused", async () => {
    const server = await openHere(await world(), { allowHosts: ["vms.example", "proxy.example:8443"] });
    const port = new URL(server.url).port;
    const status = async (host: string) =>
      statusIn(await sendRaw(server.url, requestText("/api/vms", { host, authorization: `Bearer ${TOKEN}` })));
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LOCALHOST:${port}`,
      "vms.example",
      `vms.example:${port}`,
      "proxy.example:8443",
    ])
      expect([host, await status(host)]).toEqual([host, 200]);
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1",
      "127.0.0.1:1",
      `0.0.0.0:${port}`,
      `localhost.evil.example:${port}`,
      "proxy.example",
      `127.0.0.1:${port}.evil`,
      `127.0.0.1:${port}@evil`,
      `192.168.0.1:${port}`,
      "",
    ])
      expect([host, [400, 421].includes(await status(host))]).toEqual([host, true]);
  });

  it("an Origin that is not this server's own is refused, whatever the token", async () => {
    const server = await openHere(await world());
    for (const origin of [
      "https://evil.example",
      "null",
      `http://${hostOf(server)}.evil`,
      "http://127.0.0.1",
      "http://localhost:1",
      `ftp://${hostOf(server)}`,
    ]) {
      const answer = await server.ask("GET", "/api/vms", undefined, { headers: { origin } });
      expect([origin, answer.status, answer.body.code]).toEqual([origin, 403, "ORIGIN_REFUSED"]);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
    const own = { headers: { origin: server.url } };
    expect((await server.ask("GET", "/api/vms", undefined, own)).status).toBe(200);
  });
});

describe("every answer", () => {
  it("keeps browsers from guessing its type, framing it, sending on its address and caching it", async () => {
    const server = await openHere(await world());
    for (const [path, token] of [
      ["/api/vms", TOKEN],
      ["/api/vms", null],
      ["/nothing", TOKEN],
      ["/login", null],
    ] as const) {
      const { headers } = await server.ask("GET", path, undefined, { token });
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-security-policy": expect.stringMatching(/default-src 'self'.*frame-ancestors 'none'/),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
      });
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });
});
