// Goal: whatever comes over a socket, the listener serves its links and nothing else, and stays within its bounds. Method:
// bytes to a process of its own, on both runtimes.

// @module-tag process
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SqliteStore } from "../../src/store/sqlite/store.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { offer, storeIn } from "./offered-link.ts";

const script = fileURLToPath(new URL("guest-listener-process.ts", import.meta.url));
const deno = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url));
const commands = { node: [process.execPath, script], deno: [deno, "run", "-A", "--no-check", "--quiet", script] };

function start(runtime: keyof typeof commands, directory: string) {
  const [command, ...args] = commands[runtime] as [string, ...string[]];
  return execa(command, [...args, directory], { stdin: "pipe", reject: false });
}

describe.each(["node", "deno"] as const)("on %s", (runtime) => {
  let child: ReturnType<typeof start>;
  let store: SqliteStore;
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
    await Promise.all([
      raw("GET / HTTP/1.1\r\nHost:"),
      raw(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf`),
    ]);
    expect(statusOf(await get(path))).toBe(200);
  });

  test("an address that holds many connections open gets no more, until it lets go", async () => {
    const sockets: Socket[] = Array.from({ length: 60 }, () => connect(port, "127.0.0.1").on("error", () => {}));
    const ended = new Set<Socket>();
    for (const socket of sockets) socket.on("close", () => ended.add(socket));
    await expect.poll(() => ended.size).toBeGreaterThanOrEqual(28);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => statusOf(await get("/"))).toBe(404);
  });
});
