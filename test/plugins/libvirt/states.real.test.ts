// Goal: each state that a domain can be in is shown as what it is, and a call leads out of it. Method: guests of a few bytes
// that bring their domain into that state, on real libvirt.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestbed, refusalOf, type Testbed } from "../../support/vm.ts";

let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed?.close());

/** Writes 1 to port 0x505, which is QEMU's pvpanic device (docs/specs/pvpanic), and halts. */
const panics = Buffer.from("ba0505b001eefaf4ebfd", "hex");

async function bootSector(name: string, code: Buffer): Promise<string> {
  const path = join(testbed.directory, "images", `${name}.raw`);
  const disk = Buffer.alloc(1024 ** 2);
  code.copy(disk);
  disk.writeUInt16LE(0xaa55, 510);
  await writeFile(path, disk);
  return path;
}

describe("a VM whose guest panicked and is preserved", () => {
  test("is shown as crashed, is not started again, is ended by force, and starts then", async () => {
    const { name, path } = { name: testbed.name("crashed"), path: await bootSector("crashed", panics) };
    await testbed.define(`<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os><on_crash>preserve</on_crash>
      <devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${path}'/><target dev='vda' bus='virtio'/></disk>
      <panic model='isa'/></devices></domain>`);
    await testbed.call("adopt_vm", { vm: name });
    await testbed.call("start_vm", { vm: name });
    const crashed = { power: "paused", power_reason: "crashed" };
    await expect.poll(() => testbed.call("get_vm", { vm: name })).toMatchObject(crashed);
    expect((await testbed.call("list_vms")).vms.find((vm) => vm.name === name)).toMatchObject(crashed);
    const refusal = await refusalOf(testbed.call("start_vm", { vm: name }));
    expect(refusal).toMatchObject({ code: "VM_PAUSED", hint: expect.stringContaining("stop_vm with force") });
    const stopped = await testbed.call("stop_vm", { vm: name, force: true });
    expect(stopped).toMatchObject({ changed: true, vm: { power: "off" } });
    expect((await testbed.call("start_vm", { vm: name })).vm.power).not.toBe("off");
    await testbed.call("stop_vm", { vm: name, force: true });
  });
});
