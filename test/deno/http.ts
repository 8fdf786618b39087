// deno run --allow-read --allow-write --allow-env --allow-sys --allow-run --allow-net
//
// Serves HTTP on Deno under the permissions that README names for it and no others, and asks it.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Caller, generations } from "../serve/callers.ts";
import { serverPath } from "../support/client.ts";
import { permissionsFor } from "../support/deno.ts";
import { check, expectEqual, hasFailed } from "../support/deno-check.ts";

/** Deno permits a port by its number, so one has to be known before. */
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** Asked for its consent before the power is cut, and told of the VM that it reads. */
async function cutsPower(caller: Caller, uri: string): Promise<void> {
  await caller.call("start_vm", { vm: "web", accept: ["DISK_BLANK"] });
  const end = await caller.reads.hear(uri);
  const { structuredContent } = await caller.call("stop_vm", { vm: "web", force: true });
  expectEqual((structuredContent!.vm as { power: string }).power, "off");
  while (!caller.reads.heard.updated.includes(uri)) await new Promise((resolve) => setTimeout(resolve, 20));
  await end();
  await caller.close();
}

await check("REST, events, MCP and the end on Deno", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bw-test-deno-"));
  mkdirSync(join(directory, "tmp"));
  const data = join(directory, "data");
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  const server = spawn(
    process.execPath,
    [
      ...["run", "--no-prompt", ...permissionsFor(directory, "memory"), `--allow-net=${listen}`, serverPath],
      ...["--data", data, "--connection", "local=memory,installsAfterMs=never", "--listen", listen, "serve"],
    ],
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, NO_COLOR: "1", XDG_CONFIG_HOME: directory } },
  );
  let stderr = "";
  const ended = new Promise<number | null>((resolve) => server.on("close", resolve));
  try {
    await new Promise<void>((resolve, reject) => {
      server.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
        if (stderr.includes("log in once")) resolve();
      });
      void ended.then(() => reject(new Error("it ended")));
    });
    const authorization = `Bearer ${readFileSync(join(data, "http.token"), "utf8").trim()}`;
    const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
      const response = await fetch(`http://${listen}${path}`, {
        method,
        headers: { authorization, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
    };
    const stream = await fetch(`http://${listen}/api/events`, { headers: { authorization } });
    const made = await ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" }, { "idempotency-key": "k" });
    expectEqual([made.status, made.body.vm.name], [201, "web"]);
    const again = await ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" }, { "idempotency-key": "k" });
    expectEqual([again.status, again.body], [201, made.body]);
    const seen = await ask("GET", "/api/vms/web");
    expectEqual([seen.status, seen.body.boot_order], [200, "cdrom_hd"]);
    const set = (match: string) => ask("POST", "/api/vms/web/boot-order", { boot_order: "hd" }, { "if-match": match });
    expectEqual((await set('"x"')).status, 412);
    expectEqual((await set(seen.headers.get("etag")!)).body.vm.boot_order, "hd");
    expectEqual((await ask("GET", "/api/vms", undefined, { authorization: "Bearer x" })).status, 401);
    expectEqual((await ask("GET", "/api/vms", undefined, { origin: "https://evil.example" })).status, 403);
    expectEqual((await ask("POST", "/api/vms", { name: "x".repeat(2 ** 20) })).status, 413);
    expectEqual((await ask("GET", "/api/openapi.json")).body.openapi, "3.1.1");
    const settings = { url: `http://${listen}`, token: authorization.slice("Bearer ".length) };
    const asked = () => ({ action: "accept", content: { confirm: true } }) as const;
    for (const connect of Object.values(generations))
      await cutsPower(await connect({ settings, asked }), `vm://${made.body.vm.uuid}`);
    let told = "";
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
      told += chunk;
      if (told.includes("boot_order.changed")) break;
    }
    expectEqual(told.includes('"type":"vm.created"'), true);
    // A child that was told by its own object to end counts on Deno as killed, however it ends.
    process.kill(server.pid!, "SIGTERM");
    expectEqual(await ended, 0);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${stderr}`);
  } finally {
    server.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
});
process.exit(hasFailed() ? 1 : 0);
