// Goal: a libvirt daemon that is away takes nothing else along, and is used again as soon as it is back. Method: a daemon of
// the tests' own, killed and started again, beside the host's; the same server process all the time. What it cannot see:
// a daemon that hangs without ending its connections.

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { waitForLine } from "../../support/guest.ts";
import { codesOf, type Lab, openLab, refusalOf, SYSTEM } from "../../support/vm.ts";
import { canBeSystem, hasLibvirtd, type PrivateDaemon, startDaemon } from "./client/private-daemon.ts";

const { isos } = inject("guests");

describe.skipIf(!hasLibvirtd || !canBeSystem)("a libvirt daemon that ends and comes back", () => {
  let daemon: PrivateDaemon;
  let lab: Lab;
  let directory: string;
  let vm: string;

  beforeAll(async () => {
    daemon = await startDaemon({ system: true });
    directory = await mkdtemp("/var/tmp/bw-test-");
    lab = await openLab({
      isos: [isos.both],
      uri: `qemu:///system?socket=${daemon.socketPath}`,
      settings: [
        ...["--connection", `lab=libvirt,uri=qemu:///system?socket=${daemon.socketPath}`],
        ...["--connection", `host=libvirt,uri=${SYSTEM}`],
        ...["--connection", `nowhere=libvirt,uri=qemu:///system?socket=${join(directory, "no.sock")}`],
      ],
    });
  });
  afterAll(async () => {
    await daemon?.start().catch(() => undefined);
    await lab?.close().finally(() => daemon.stop());
    await rm(directory, { recursive: true, force: true });
  });

  test("while it runs its VMs are listed beside those of other connections, and one that is away is named", async () => {
    vm = (await lab.installed("here", { connection: "lab", boot_order: "hd" })).uuid;
    const listed = await lab.call("list_vms");
    expect(listed.unreachable).toEqual([{ connection: "nowhere", reason: expect.stringMatching(/no\.sock/) }]);
    const own = listed.vms.find(({ uuid }: { uuid: string }) => uuid === vm);
    expect(own).toMatchObject({ connection: "lab", managed: true, power: "off" });
    expect(await lab.call("get_vm", { vm: `lab/${vm}` })).toMatchObject({ uuid: vm });
    expect((await lab.call("list_vms", { connection: "host" })).unreachable).toEqual([]);
  });

  test("when it has ended list_vms names it and shows what is on record, and all else is refused with its code", async () => {
    await daemon.kill();
    const since = performance.now();
    const listed = await lab.call("list_vms");
    expect(listed.unreachable.map(({ connection }: { connection: string }) => connection).sort()).toEqual(["lab", "nowhere"]);
    const refused: Record<string, string> = {};
    const calls: [string, Record<string, unknown>][] = [
      ["get_vm", { vm: `lab/${vm}` }],
      ["check_boot", { vm: `lab/${vm}` }],
      ["set_boot_order", { vm: `lab/${vm}`, boot_order: "cdrom_hd" }],
      ["start_vm", { vm: `lab/${vm}` }],
      ["attach_iso", { vm: `lab/${vm}`, iso_path: lab.iso(isos.both) }],
      ["delete_vm", { vm: `lab/${vm}` }],
      ["create_vm", { name: lab.name("never"), connection: "lab" }],
      ["list_isos", { connection: "lab" }],
      ["adopt_vm", { all: true, connection: "lab" }],
    ];
    for (const [tool, args] of calls) refused[tool] = (await refusalOf(lab.call(tool, args))).code;
    expect(refused).toEqual(Object.fromEntries(calls.map(([tool]) => [tool, "BACKEND_UNAVAILABLE"])));
    // A name that could be on either connection is looked for where somebody answers.
    const unknown = await refusalOf(lab.call("get_vm", { vm: lab.name("here") }));
    expect(unknown).toMatchObject({ code: "VM_NOT_FOUND", hint: expect.stringMatching(/cannot be reached: (lab|nowhere)/) });
    expect((await lab.server.client.listTools()).tools.length).toBeGreaterThan(10);
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  test("when it is back the same server goes on, with the VM as it was", async () => {
    await daemon.start();
    const seen = await lab.call("get_vm", { vm: `lab/${vm}` });
    expect(seen).toMatchObject({ power: "off", boot_order: "hd", installation_status: "NotInstalled" });
    expect(codesOf(seen)).not.toContain("BOOT_ORDER_DRIFT");
    await lab.call("start_vm", { vm: vm });
    await waitForLine(seen.serial_log, /^DISK-BIOS/);
  });

  test("a guest goes on running while the daemon is away, and is the same run afterwards", async () => {
    const before = await lab.call("get_vm", { vm });
    await daemon.kill();
    expect(await refusalOf(lab.call("stop_vm", { vm: `lab/${vm}`, force: true }))).toMatchObject({ code: "BACKEND_UNAVAILABLE" });
    await daemon.start();
    const after = await lab.call("get_vm", { vm });
    expect(after).toMatchObject({ power: "running", current_boot_device: before.current_boot_device });
    await lab.call("delete_vm", { vm, force: true });
  });
});
