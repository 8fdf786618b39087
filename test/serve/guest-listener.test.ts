// Goal: a guest can make the one call that a link was made for, and nothing else, whatever it sends. Method: the real
// listener on the real store, over real sockets, on both runtimes. What it cannot see: real guests and plugins
// (phone-home.real.test.ts).

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { linkPath, linkSubject, newLinkToken } from "../../src/domain/guest-link.ts";
import { type GuestListenerOptions, listenForGuests } from "../../src/serve/guest-listener.ts";
import { type OpenStore, openStore } from "../../src/store/store.ts";
import { temporaryDirectory } from "../support/memory.ts";

const HOUR_MS = 3_600_000;
const vm = { connection: "local", uuid: "0a6b7f52-1111-4222-8333-444455556666" };
const newId = () => crypto.randomUUID();
const storeIn = (directory: string, now = () => new Date()) =>
  openStore({ directory, imageDirectory: "/images", connection: "local", newId, now });

async function offer(store: OpenStore, target = vm, ttlMs = HOUR_MS, plugin = "phone-home"): Promise<string> {
  const token = newLinkToken(newId, new Date(Date.now() + ttlMs));
  await store.offerConfirmation(token, linkSubject(plugin, target), ttlMs);
  return linkPath(plugin, target.uuid, token);
}

type Call = { plugin: string; request: Request; vm: string; body: string };

/** A listener in this process; `answer` is what its plugin says. */
async function open(
  answer: (call: Call) => Response | Promise<Response> = () => new Response("done\n"),
  more: Partial<GuestListenerOptions> = {},
) {
  const store = await storeIn(temporaryDirectory(), more.now);
  const calls: Call[] = [];
  const lines: string[] = [];
  const listener = listenForGuests({
    address: "127.0.0.1",
    port: 0,
    connections: ["other", "local"],
    store: async () => store,
    handle: async (plugin, request, context) => {
      const call = { plugin, request, vm: context.vm, body: await request.text() };
      calls.push(call);
      return answer(call);
    },
    log: (line) => void lines.push(line),
    defect: (error) => {
      lines.push(`defect: ${error}`);
      return "1";
    },
    ...more,
  });
  onTestFinished(async () => {
    await listener.close();
    await store.close();
  });
  const base = `http://127.0.0.1:${more.port === undefined ? (await listener.listening).port : more.port}`;
  return { store, calls, lines, listener, base };
}

describe("a link", () => {
  test.each(["GET", "POST"])("is good for one %s that succeeds", async (method) => {
    const { store, calls, base } = await open();
    const url = base + (await offer(store));
    const first = await fetch(url, { method, ...(method === "POST" && { body: "hostname=web" }) });
    expect([first.status, await first.text()]).toEqual([200, "done\n"]);
    expect(calls[0]).toMatchObject({ plugin: "phone-home", vm: `local/${vm.uuid}` });
    expect(calls[0]!.body).toBe(method === "POST" ? "hostname=web" : "");
    const second = await fetch(url, { method });
    expect([second.status, await second.text()]).toEqual([404, ""]);
    expect(calls).toHaveLength(1);
  });

  test("is good again after a call that failed, and only then", async () => {
    const answers = [503, 409, 302, 204];
    const { store, base } = await open(() => new Response(null, { status: answers.shift()! }));
    const url = base + (await offer(store));
    const statuses: number[] = [];
    for (let each = 0; each < 5; each++)
      statuses.push((await fetch(url, { method: "POST", redirect: "manual" })).status);
    expect(statuses).toEqual([503, 409, 302, 204, 404]);
  });

  test("is good again after a fault of the plugin's, of which the guest learns nothing", async () => {
    const { store, base, lines, calls } = await open(({ body }) => {
      if (body === "1") throw new Error("a secret of the plugin's");
      return new Response("done\n");
    });
    const url = base + (await offer(store));
    const failed = await fetch(url, { method: "POST", body: "1" });
    expect([failed.status, await failed.text()]).toEqual([503, ""]);
    expect(lines).toEqual(["defect: Error: a secret of the plugin's"]);
    expect((await fetch(url, { method: "POST", body: "2" })).status).toBe(200);
    expect(calls).toHaveLength(2);
  });

  test("serves one of many calls that come at once", async () => {
    const { store, base, calls } = await open();
    const url = base + (await offer(store));
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await fetch(url)).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(calls).toHaveLength(1);
  });

  test("ends with its time, however often it was given back", async () => {
    let later = 0;
    const { store, base, calls } = await open(() => new Response(null, { status: 503 }), {
      now: () => new Date(Date.now() + later),
    });
    const url = base + (await offer(store));
    expect((await fetch(url)).status).toBe(503);
    later = HOUR_MS - 10_000;
    expect((await fetch(url)).status).toBe(503);
    later = HOUR_MS;
    expect((await fetch(url)).status).toBe(404);
    expect(calls).toHaveLength(2);
  });

  test("is good for no other VM, plugin or time, and a call that tries leaves it", async () => {
    const { store, base, calls } = await open();
    const path = await offer(store);
    const [, , plugin, uuid, token] = path.split("/") as [string, string, string, string, string];
    const other = "0a6b7f52-1111-4222-8333-444455559999";
    const longer = `${(Date.now() + 2 * HOUR_MS).toString(36)}-${token.split("-")[1]}`;
    const wrong = [
      linkPath(plugin, other, token),
      linkPath("webhook", uuid, token),
      linkPath(plugin, uuid, longer),
      linkPath(plugin, uuid, token.toUpperCase()),
      linkPath(plugin, uuid, `${token}0`),
      linkPath(plugin, uuid.toUpperCase(), token),
      `${path}/`,
      `${path}/more`,
      `/${path}`,
    ];
    for (const each of wrong) expect((await fetch(base + each)).status, each).toBe(404);
    expect(calls).toEqual([]);
    expect((await fetch(base + path)).status).toBe(200);
  });

  test("tells the plugin nothing of itself and of the guest's headers but the body's type", async () => {
    const { store, base, calls } = await open();
    const path = await offer(store);
    const headers = { "content-type": "application/x-www-form-urlencoded", authorization: "x", cookie: "y" };
    await fetch(base + path, { method: "POST", body: "a=b", headers });
    const [{ request }] = calls as [Call];
    expect([...request.headers]).toEqual([["content-type", headers["content-type"]]]);
    expect(request.url).toBe("http://guest.invalid/plugins/phone-home/");
  });
});

test("an address that asks too often is put off, and let in again later", async () => {
  let now = Date.now();
  const { store, base } = await open(undefined, {
    rate: { burst: 3, perSecond: 1 },
    now: () => new Date(now),
  });
  const path = await offer(store);
  const statuses: number[] = [];
  for (let each = 0; each < 5; each++) statuses.push((await fetch(`${base}/`)).status);
  expect(statuses).toEqual([404, 404, 404, 429, 429]);
  now += 1_000;
  expect((await fetch(base + path)).status).toBe(200);
});

test("a port that another process has is taken over when it is free, and told of once", async () => {
  const holder = createServer();
  await once(holder.listen(0, "127.0.0.1"), "listening");
  const { port } = holder.address() as AddressInfo;
  const { lines, listener, base } = await open(undefined, { port });
  await expect.poll(() => lines).toEqual([expect.stringContaining("another process has that port")]);
  holder.close();
  expect(await listener.listening).toMatchObject({ port });
  expect((await fetch(`${base}/`)).status).toBe(404);
  expect(lines).toHaveLength(1);
}, 20_000);

const script = fileURLToPath(new URL("guest-listener-process.ts", import.meta.url));
const deno = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url));
const commands = { node: [process.execPath, script], deno: [deno, "run", "-A", "--no-check", "--quiet", script] };

function start(runtime: keyof typeof commands, directory: string) {
  const [command, ...args] = commands[runtime] as [string, ...string[]];
  return execa(command, [...args, directory], { stdin: "pipe", reject: false });
}

describe.each(["node", "deno"] as const)("on %s", (runtime) => {
  let child: ReturnType<typeof start>;
  let store: OpenStore;
  let port: number;
  beforeAll(async () => {
    const directory = temporaryDirectory("file");
    child = start(runtime, directory);
    port = Number(String((await once(child.stdout!, "data"))[0]));
    store = await storeIn(directory);
  });
  afterAll(async () => {
    child.stdin!.end();
    // Whatever guests send is nothing to write about.
    expect((await child).stderr).toBe("");
    await store.close();
  });

  /** Sends bytes as they are, and answers with all that comes back until the connection ends. */
  async function raw(...pieces: (string | Buffer)[]): Promise<string> {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("latin1").on("data", (data) => {
      answer += data;
    });
    socket.on("error", () => {});
    for (const piece of pieces) socket.write(piece);
    await new Promise((closed) => socket.once("close", closed));
    return answer;
  }
  const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
  const get = (path: string, headers = "Host: x\r\n") => raw(`GET ${path} HTTP/1.1\r\n${headers}\r\n`);

  test("a link is good for one call that succeeds", async () => {
    const url = `http://127.0.0.1:${port}${await offer(store)}`;
    const answers = ["no", "yes", "yes"].map((body) => ({ method: "POST", body }));
    const statuses: number[] = [];
    for (const answer of answers) statuses.push((await fetch(url, answer)).status);
    expect(statuses).toEqual([503, 200, 404]);
  });

  test.each([
    ["the root", "/"],
    ["MCP", "/mcp"],
    ["the REST interface", "/api/vms"],
    ["a plugin without a link", "/plugins/phone-home/"],
    ["a way up", "/plugins/phone-home/../../etc/passwd"],
    ["a full address", "http://169.254.169.254/latest/meta-data"],
    ["bytes", "/%ff%fe%00"],
    ["script", "/<script>alert(1)</script>"],
  ])("%s is not found, and nothing of the request comes back", async (_what, path) => {
    const answer = await get(path, "Host: evil.example\r\nX-Mark: 4711-mark\r\n");
    // Where the request itself cannot be read there is no answer at all.
    expect([404, 0]).toContain(statusOf(answer));
    expect(answer).not.toMatch(/evil\.example|4711-mark|passwd|script|meta-data/);
    expect(answer.split("\r\n\r\n")[1] ?? "").toBe("");
  });

  test.each(["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])(
    "%s does not use a link",
    async (method) => {
      const path = await offer(store);
      const answer = await raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      expect([404, 0]).toContain(statusOf(answer));
      expect(statusOf(await get(path))).toBe(200);
    },
  );

  test("a link works whatever the Host, and without one", async () => {
    expect(statusOf(await get(await offer(store), "Host: 10.0.2.2:1\r\n"))).toBe(200);
    expect(statusOf(await raw(`GET ${await offer(store)} HTTP/1.0\r\n\r\n`))).toBe(200);
  });

  test("64 KiB are taken and not a byte more, and a body that is too large leaves the link", async () => {
    const path = await offer(store);
    const url = `http://127.0.0.1:${port}${path}`;
    expect((await fetch(url, { method: "POST", body: "x".repeat(65_537) })).status).toBe(413);
    const chunks = Array.from({ length: 9 }, () => `2000\r\n${"x".repeat(0x2000)}\r\n`).join("");
    const chunked = await raw(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
    expect([413, 0]).toContain(statusOf(chunked));
    const taken = await fetch(url, { method: "POST", body: "x".repeat(65_536) });
    expect([taken.status, await taken.text()]).toEqual([200, "65536 bytes\n"]);
  });

  test("headers without bounds are not read", async () => {
    const answer = await get("/", `Host: x\r\nX-Long: ${"x".repeat(100_000)}\r\n`);
    expect([431, 400, 0]).toContain(statusOf(answer));
  });

  test("a request that does not come to its end is ended", async () => {
    const path = await offer(store);
    const began = performance.now();
    await Promise.all([
      raw("GET / HTTP/1.1\r\nHost:"),
      raw(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf`),
    ]);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(statusOf(await get(path))).toBe(200);
  });

  test("an address that holds many connections open gets no more, until it lets go", async () => {
    const sockets: Socket[] = Array.from({ length: 60 }, () => connect(port, "127.0.0.1").on("error", () => {}));
    const ended = new Set<Socket>();
    for (const socket of sockets) socket.on("close", () => ended.add(socket));
    await expect.poll(() => ended.size, { timeout: 5_000 }).toBeGreaterThanOrEqual(28);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => statusOf(await get("/")), { timeout: 5_000 }).toBe(404);
  });
});
