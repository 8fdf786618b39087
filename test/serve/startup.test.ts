/** Clients that find out the protocol's generation start a second server just to ask, and drop it. What a start loads is
 * paid each time, so it must not load what only a call needs, and must not reach for a hypervisor. */
// @module-tag process
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { openClient, serverPath } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";

const recorder = fileURLToPath(new URL("./record-modules.mjs", import.meta.url));

async function open(settings: readonly string[]) {
  const file = join(temporaryDirectory(), "modules");
  const server = await openClient({
    settings,
    command: [process.execPath, "--import", recorder, serverPath],
    env: { MODULES_FILE: file },
  });
  onTestFinished(() => server.close());
  return { ...server, loaded: () => readFileSync(file, "utf8").split("\n") };
}
const store = /\/node_modules\/(@mikro-orm|kysely)\/|\/src\/store\//;

describe("a server that has only listed its tools and what resources there can be", () => {
  it("has loaded no database, and makes no data directory", async () => {
    const data = join(temporaryDirectory(), "data");
    const server = await open(memorySettings(data));
    await server.client.listTools();
    await server.client.listResourceTemplates();
    expect(server.loaded().length).toBeGreaterThan(50);
    expect(server.loaded().filter((url) => store.test(url))).toEqual([]);
    expect(server.loaded().filter((url) => url.includes("/plugins/libvirt/"))).toEqual([]);
    expect(existsSync(data)).toBe(false);
    // The recorder sees what a call loads, so an empty list above means something.
    await server.call("list_vms");
    expect(server.loaded().filter((url) => store.test(url)).length).toBeGreaterThan(10);
  });

  it("has not connected to libvirt, which a call then does", async () => {
    const socket = join(temporaryDirectory(), "libvirt.sock");
    let connections = 0;
    const daemon = createServer((connection) => {
      connections += 1;
      connection.destroy();
    });
    await new Promise<void>((resolve) => daemon.listen(socket, resolve));
    onTestFinished(() => void daemon.close());
    const server = await open([
      ...["--data", join(temporaryDirectory(), "data")],
      ...["--connection", `local=libvirt,uri=qemu:///system?socket=${socket}`],
    ]);
    await server.client.listTools();
    expect(server.loaded().filter((url) => store.test(url))).toEqual([]);
    expect(connections).toBe(0);
    const { unreachable } = await server.call("list_vms");
    expect(unreachable).toMatchObject([{ connection: "local" }]);
    expect(connections).toBeGreaterThan(0);
  });
});
