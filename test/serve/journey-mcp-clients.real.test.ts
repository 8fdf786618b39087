/** The surfaces on real libvirt, with the client that most hosts still have: what the memory backend cannot show is that
 * a guest's power, a cancelled wait and the end of the process reach the hypervisor and leave it as they found it. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from "vitest";
import { openTestbed, type Testbed } from "../support/vm.ts";
import { type Caller, generations } from "./callers.ts";
import { openRaw } from "./raw.ts";

const { installerIso } = inject("guests");
let testbed: Testbed;
/** The settings of the testbed's own server, for another one beside it. */
const settingsOf = ({ directory }: Testbed) => [
  ...["--data", join(directory, "data"), "--images", join(directory, "images"), "--iso-dir", join(directory, "isos")],
  ...["--connection", "local=libvirt,uri=qemu:///system"],
];
beforeAll(async () => {
  testbed = await openTestbed({ isos: [installerIso] });
});
afterAll(() => testbed.close());

it("a client of 2025 creates, starts and cuts off a VM, asked first, and its validation accepts every answer", async () => {
  const asked: string[] = [];
  const caller: Caller = await generations["2025-11-25, first SDK"]({
    settings: settingsOf(testbed),
    asked(message) {
      asked.push(message);
      return { action: "accept", content: { confirm: true } };
    },
  });
  onTestFinished(() => caller.close());
  await caller.tools();
  const name = testbed.name("first-sdk");
  const small = { memory_mb: 128, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
  const call = async (tool: string, args: object) => {
    const { isError, text, structuredContent } = await caller.call(tool, { ...args }, { timeoutMs: 120_000 });
    expect(isError, text).toBeUndefined();
    return structuredContent as { vm: { power: string; installation_status?: string } };
  };
  await call("create_vm", { name, iso_path: testbed.iso(installerIso), ...small });
  expect((await call("start_vm", { vm: name })).vm).toMatchObject({
    power: "running",
    installation_status: "Installing",
  });
  expect((await call("stop_vm", { vm: name, force: true })).vm.power).toBe("off");
  await call("delete_vm", { vm: name });
  expect(asked).toEqual([
    expect.stringContaining("guest's memory"),
    expect.stringContaining(`the definition of VM ${name}`),
  ]);
  expect(await testbed.virsh("list", "--all", "--name")).not.toContain(name);
});

it("a server whose client goes away while a guest shuts down settles that, and leaves the guest running", async () => {
  const { name } = await testbed.create("abandoned", { iso_path: testbed.iso(installerIso) });
  await testbed.call("start_vm", { vm: name });
  const server = await openRaw(settingsOf(testbed));
  void server.call("stop_vm", { vm: name, timeout_seconds: 600 }).catch(() => undefined);
  await server.heard("ask the guest to shut down");
  server.process.stdin.end();
  expect(await server.ended).toEqual({ code: 0, signal: null });
  // Nobody holds the VM any more, and nothing is left to recover.
  expect(await testbed.call("set_boot_order", { vm: name, boot_order: "hd" })).toMatchObject({ changed: true });
  expect(await testbed.virsh("domstate", name)).toBe("running");
});
