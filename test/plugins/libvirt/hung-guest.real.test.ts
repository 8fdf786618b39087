// Goal: a guest whose QEMU hangs is still looked at, and keeps nobody from other VMs. Method: a guest's QEMU is stopped with
// SIGSTOP and asked for more often than a connection may have calls under way. What it cannot see: a QEMU that hangs in the
// kernel, as on a file server that is gone, and cannot be ended either.

import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openTestbed, type Testbed, type TestbedVm } from "../../support/vm.ts";

let testbed: Testbed;
let hung: TestbedVm;
let other: TestbedVm;
let pid: number;

beforeAll(async () => {
  testbed = await openTestbed();
  [hung, other] = [await testbed.installed("hung", { boot_order: "hd" }), await testbed.installed("other")];
  for (const vm of [hung, other]) await testbed.call("start_vm", { vm: vm.uuid });
  pid = Number(await readFile(`/run/libvirt/qemu/${hung.name}.pid`, "utf8"));
});
afterAll(async () => {
  if (pid) process.kill(pid, "SIGCONT");
  await testbed?.close();
});

const look = async ({ uuid }: TestbedVm) => (await testbed.call("get_vm", { vm: uuid })) as Record<string, unknown>;
const isConfirmed = (vm: TestbedVm) =>
  vi.waitFor(async () => expect(await look(vm)).toMatchObject({ current_boot_certainty: "confirmed" }), {
    timeout: 60_000,
    interval: 500,
  });

describe("a guest whose QEMU hangs", () => {
  test("is looked at without the figures that QEMU alone has, however often, and others are changed meanwhile", async () => {
    await Promise.all([isConfirmed(hung), isConfirmed(other)]);
    process.kill(pid, "SIGSTOP");
    for (const boot_order of ["hd", "hd_cdrom"]) {
      const planned = Array.from({ length: 4 }, () =>
        testbed.call("set_boot_order", { vm: hung.uuid, boot_order: "hd_cdrom", dry_run: true }),
      );
      const seen = await Promise.all([look(other), look(hung), look(other)]);
      for (const each of seen) expect(each).not.toHaveProperty("stale");
      expect(seen).toMatchObject(
        ["confirmed", "predicted", "confirmed"].map((certainty) => ({
          power: "running",
          current_boot_certainty: certainty,
        })),
      );
      expect(await testbed.call("set_boot_order", { vm: other.uuid, boot_order })).toMatchObject({ changed: true });
      for (const each of await Promise.all(planned)) expect(each).toMatchObject({ changed: true, dry_run: true });
    }
  });

  test("has its figures again once it goes on", async () => {
    process.kill(pid, "SIGCONT");
    await isConfirmed(hung);
  });
});
