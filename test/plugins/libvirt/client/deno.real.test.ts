// Goal: the client runs under Deno from the same sources, with permissions for the socket alone. Method: a process of
// Deno's own against a real daemon.

import { execFile, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasLibvirtd, type PrivateDaemon, startDaemon } from "./private-daemon.ts";

const hasDeno = spawnSync("deno", ["--version"]).status === 0;

const SCRIPT = (client: string, socketPath: string) => `
  import { openLibvirt, METADATA_TYPE } from ${JSON.stringify(client)};
  const libvirt = openLibvirt({ uri: "test:///default", socketPath: ${JSON.stringify(socketPath)} });
  try {
    const events = await libvirt.subscribe(["lifecycle"]);
    const xml = "<domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os></domain>";
    const domain = await libvirt.domainDefineXmlFlags(xml);
    const { value: event } = await events.next();
    const metadata = "ä-".repeat(150_000);
    await libvirt.domainSetMetadata(domain, { type: METADATA_TYPE.description, metadata });
    const same = (await libvirt.domainGetMetadata(domain, { type: METADATA_TYPE.description })) === metadata;
    const many = await Promise.all(Array.from({ length: 50 }, () => libvirt.domainGetXmlDesc(domain)));
    const code = await libvirt.domainLookupByName("nobody").catch((error) => error.code);
    const given = await libvirt.connectGetUri({ signal: AbortSignal.abort() }).catch((error) => error.name);
    console.log(JSON.stringify([event.kind, event.domain.name, same, new Set(many).size, code, given]));
  } catch (error) {
    console.log(String(error));
  }
  await libvirt.close();`;

describe.skipIf(!hasLibvirtd || !hasDeno)("The client under Deno", () => {
  let daemon: PrivateDaemon;
  beforeAll(async () => {
    daemon = await startDaemon();
  });
  afterAll(() => daemon.stop());

  async function run(permissions: string[]): Promise<string> {
    const script = join(daemon.directory, "script.ts");
    await writeFile(script, SCRIPT(resolve("plugins/libvirt/client/libvirt.ts"), daemon.socketPath));
    // Reading is for the sources, and for looking which of libvirt's usual sockets is there.
    const read = `--allow-read=${resolve("plugins")},${daemon.directory},/run/libvirt,/var/run/libvirt`;
    const arguments_ = ["run", "--no-prompt", "--no-config", "--quiet", read, ...permissions, script];
    const { stdout } = await promisify(execFile)("deno", arguments_);
    return stdout.trim();
  }

  test("calls, subscribes and closes with permissions for the socket alone", async () => {
    const output = await run([`--allow-net=unix:${daemon.socketPath}`, `--allow-write=${daemon.socketPath}`]);
    expect(output).toBe(JSON.stringify(["lifecycle", "web", true, 1, 42, "CallInterrupted"]));
  });

  test("fails as ConnectFailed where Deno's permissions do not reach", async () => {
    expect(await run([])).toMatch(/^ConnectFailed: Cannot connect to libvirt at ".*": Requires write access/);
  });
});
