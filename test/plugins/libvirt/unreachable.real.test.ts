// Goal: a libvirt daemon that is away takes nothing else along, and is used again as soon as it is back. Method: a daemon of
// the tests' own, killed and started again, beside the host's; the same server process all the time. What it cannot see:
// a daemon that hangs without ending its connections.

import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { waitForLine } from "../../support/guest.ts";
import { openTestbed, refusalOf, SYSTEM, type Testbed, type ToolName } from "../../support/vm.ts";
import { hasLibvirtd, isRoot, NOBODY, type PrivateDaemon, startDaemon } from "./client/private-daemon.ts";

const { isos, workDir } = inject("guests");

describe.skipIf(!hasLibvirtd)("a libvirt daemon that ends and comes back", () => {
  let daemon: PrivateDaemon;
  let testbed: Testbed;
  let vm: string;
  let config: string;
  let up = true;
  const kill = async () => {
    up = false;
    await daemon.kill();
  };
  const start = async () => {
    await daemon.start();
    up = true;
  };

  beforeAll(async () => {
    // The sockets of its guests lie below this directory, and a socket's path has at most 107 characters.
    config = await mkdtemp("/tmp/bw-");
    await mkdir(join(config, "libvirt"));
    await writeFile(join(config, "libvirt/qemu.conf"), 'stdio_handler = "file"\nnamespaces = []\n');
    if (isRoot) for (const path of [config, join(config, "libvirt")]) await chown(path, NOBODY, NOBODY);
    daemon = await startDaemon({ environment: { XDG_CONFIG_HOME: config } });
    const uri = `${daemon.qemuUri}?socket=${daemon.socketPath}`;
    const at = (name: string, where: string) => ["--connection", `${name}=libvirt,uri=${where}`];
    const nowhere = `qemu:///system?socket=${join(workDir, "no.sock")}`;
    testbed = await openTestbed({
      isos: [isos.both],
      uri,
      settings: [...at("lab", uri), ...at("host", SYSTEM), ...at("nowhere", nowhere)],
    });
  });
  afterAll(async () => {
    // Its guests outlive a daemon, so there must be one to end them.
    if (!up) await start();
    await testbed?.close().finally(() => daemon.stop());
    await rm(config, { recursive: true, force: true });
  });

  test("while it runs its VMs are listed beside those of other connections, and one that is away is named", async () => {
    const made = await testbed.installed("here", { connection: "lab", boot_order: "hd" });
    vm = made.uuid;
    // This daemon runs as another user, and so do its guests.
    await chmod(made.disk_path, 0o666);
    await chmod(dirname(made.disk_path), 0o777);
    const listed = await testbed.call("list_vms");
    expect(listed.unreachable).toEqual([{ connection: "nowhere", reason: expect.stringMatching(/no\.sock/) }]);
    const own = listed.vms.find(({ uuid }: { uuid: string }) => uuid === vm);
    expect(own).toMatchObject({ connection: "lab", managed: true, power: "off" });
    expect(await testbed.call("get_vm", { vm: `lab/${vm}` })).toMatchObject({ uuid: vm });
    expect((await testbed.call("list_vms", { connection: "host" })).unreachable).toEqual([]);
  });

  test("when it has ended list_vms names it and shows what is on record, what needs it is refused with its code", async () => {
    await kill();
    const since = performance.now();
    const listed = await testbed.call("list_vms");
    expect(listed.unreachable.map(({ connection }: { connection: string }) => connection).sort()).toEqual([
      "lab",
      "nowhere",
    ]);
    const refused: Record<string, string> = {};
    const calls: [ToolName, Record<string, unknown>][] = [
      ["check_boot", { vm: `lab/${vm}` }],
      ["set_boot_order", { vm: `lab/${vm}`, boot_order: "cdrom_hd" }],
      ["start_vm", { vm: `lab/${vm}` }],
      ["attach_iso", { vm: `lab/${vm}`, iso_path: testbed.iso(isos.both) }],
      ["delete_vm", { vm: `lab/${vm}` }],
      ["create_vm", { name: testbed.name("never"), connection: "lab" }],
      ["adopt_vm", { all: true, connection: "lab" }],
    ];
    for (const [tool, args] of calls) refused[tool] = (await refusalOf(testbed.call(tool, args))).code;
    expect(refused).toEqual(Object.fromEntries(calls.map(([tool]) => [tool, "BACKEND_UNAVAILABLE"])));
    // By its UUID, by its name with the connection, and by its name alone, which no other connection has.
    for (const ref of [vm, `lab/${testbed.name("here")}`, testbed.name("here")])
      expect(await testbed.call("get_vm", { vm: ref })).toMatchObject({ uuid: vm, power: "unknown", stale: true });
    expect((await testbed.call("list_isos", { connection: "lab" })).isos).toHaveLength(1);
    // A name that could be on either connection is looked for where somebody answers.
    const unknown = await refusalOf(testbed.call("get_vm", { vm: testbed.name("nobody") }));
    expect(unknown).toMatchObject({
      code: "VM_NOT_FOUND",
      hint: expect.stringMatching(/so not searched: (lab|nowhere)/),
    });
    expect((await testbed.server.client.listTools()).tools.length).toBeGreaterThan(10);
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  test("when it is back the same server goes on, with the VM as it was", async () => {
    await start();
    const seen = await testbed.call("get_vm", { vm: `lab/${vm}` });
    expect(seen).toMatchObject({ power: "off", boot_order: "hd", installation_status: "NotInstalled" });
    expect(seen.findings).toEqual([]);
    await testbed.call("start_vm", { vm });
    await waitForLine(seen.serial_log!, /^DISK-BIOS/);
  });

  test("a guest goes on running while the daemon is away, and is the same run afterwards", async () => {
    const before = await testbed.call("get_vm", { vm });
    await kill();
    expect(await refusalOf(testbed.call("stop_vm", { vm: `lab/${vm}`, force: true }))).toMatchObject({
      code: "BACKEND_UNAVAILABLE",
    });
    await start();
    const after = await testbed.call("get_vm", { vm });
    expect(after).toEqual(before);
    expect(after).toMatchObject({ power: "running", current_boot_device: "hd", current_boot_certainty: "confirmed" });
    await testbed.call("delete_vm", { vm, force: true });
  });
});
