// Goal: the plugins that ship work in a real server, on both runtimes, on Deno under named permissions alone. Method: a
// server on VMs in memory, a real receiver, a real file, a real call; what the plugins do in detail is tested beside this.

// @module-tag process
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BootwrightClient, openClient, serverPath } from "../support/client.ts";
import { permissionsFor } from "../support/deno.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { freePort } from "../support/port.ts";

const deno = fileURLToPath(new URL("../../node_modules/.bin/deno", import.meta.url));
const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

describe.each(["node", "deno"] as const)("on %s", (runtime) => {
  const directory = temporaryDirectory("file");
  const got: { headers: Record<string, string>; body: string }[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    got.push({ headers: request.headers as Record<string, string>, body });
    // The first delivery of all fails, and is made again.
    response.writeHead(got.length === 1 ? 500 : 204).end();
  });
  let server: BootwrightClient;
  let vm: string;
  beforeAll(async () => {
    await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
    const { port } = receiver.address() as AddressInfo;
    const [guests, secretFile] = [await freePort(), join(directory, "secret")];
    writeFileSync(secretFile, secret, { mode: 0o600 });
    const permissions = [...permissionsFor(directory, "memory"), `--allow-net=127.0.0.1:${port},127.0.0.1:${guests}`];
    server = await openClient({
      settings: [
        ...memorySettings(join(directory, "data"), "installsAfterMs=never"),
        ...["--guest-listen", String(guests)],
        ...[
          "--plugin",
          `webhook,url=http://127.0.0.1:${port}/hook,secret-file=${secretFile},types=boot_order.* installation.*`,
        ],
        ...["--plugin", `audit-log,directory=${join(directory, "audit")}`],
        ...["--plugin", "phone-home"],
      ],
      env: { XDG_CACHE_HOME: join(directory, "cache"), XDG_CONFIG_HOME: join(directory, "config"), NO_COLOR: "1" },
      ...(runtime === "deno" && {
        command: [
          deno,
          "run",
          "--no-prompt",
          "--no-check",
          "--quiet",
          "--unstable-worker-options",
          ...permissions,
          serverPath,
        ],
      }),
    });
    vm = (await server.call("create_vm", { name: "web", memory_mb: 256, disk_size_gb: 1, network: "user" })).vm.uuid;
  });
  afterAll(async () => {
    await server.close();
    receiver.closeAllConnections();
    receiver.close();
  });
  const linesOf = () => {
    if (!existsSync(join(directory, "audit"))) return [];
    const files = readdirSync(join(directory, "audit")).map((name) => join(directory, "audit", name));
    const text = files.map((path) => readFileSync(path, "utf8")).join("");
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const patient = { timeout: 100_000, interval: 100 };

  test("a webhook gets a signed event, and gets it again after a failure", async () => {
    // Whoever subscribes for the first time hears of what happens from then on.
    const heard = async () => {
      for (const order of ["hd", "cdrom_hd"]) await server.call("set_boot_order", { vm, boot_order: order });
      return got.filter(({ headers }) => headers["webhook-id"] === got[0]?.headers["webhook-id"]).length;
    };
    await expect.poll(heard, patient).toBe(2);
    const [first, second] = got.filter(({ headers }) => headers["webhook-id"] === got[0]!.headers["webhook-id"]);
    expect(new Webhook(secret).verify(second!.body, second!.headers)).toMatchObject({
      type: "boot_order.changed",
      subject: vm,
    });
    expect(second!.body).toBe(first!.body);
  });

  test("the audit log says who changed what", async () => {
    await expect
      .poll(() => linesOf()[0], patient)
      .toMatchObject({
        type: "boot_order.changed",
        vm,
        operation: { tool: "set_boot_order", actor: expect.stringMatching(/^mcp/), status: "applied" },
      });
  });

  test("a guest's call completes the installation, and both hear of it", async () => {
    const { url } = await server.call("create_guest_link", { vm });
    const answer = await fetch(url.replace("//10.0.2.2:", "//127.0.0.1:"), { method: "POST", body: "hostname=web" });
    expect([answer.status, await answer.text()]).toEqual([200, "installation complete\n"]);
    expect(await server.call("get_vm", { vm })).toMatchObject({ installation_status: "Installed" });
    await expect
      .poll(() => linesOf().at(-1), patient)
      .toMatchObject({
        type: "installation.completed",
        operation: { actor: "plugin:phone-home" },
      });
    await expect.poll(() => JSON.parse(got.at(-1)!.body).type, patient).toBe("installation.completed");
    const ids = linesOf().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("a webhook's secret stands in no log and no answer", async () => {
    expect(server.stderr()).toContain("answered 500");
    expect(server.stderr()).not.toContain(secret.slice(6));
    expect(JSON.stringify(await server.call("list_plugins"))).not.toContain(secret.slice(6));
  });
});
