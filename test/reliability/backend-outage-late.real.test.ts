// Goal: a call that the daemon carries out long after its connection was lost ends on record. Method: a proxy closes the
// connection on the call that starts a VM, and passes that call on once the program has looked, told that nobody knows,
// and been asked for another change.

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { openLibvirt } from "../../plugins/libvirt/client/libvirt.ts";
import { PROCEDURE } from "../../plugins/libvirt/client/procedure.ts";
import { canBeSystem, hasLibvirtd, startDaemon } from "../plugins/libvirt/client/private-daemon.ts";
import { openProxy } from "../support/libvirt-proxy.ts";
import { openTestbed } from "../support/vm.ts";
import { disagreements } from "./backend-outage-agreement.ts";

const { isos } = inject("guests");
const SETTLED_MS = 30_000;

describe.skipIf(!hasLibvirtd || !canBeSystem)("a daemon that is late", () => {
  test("starts a VM after its connection was lost, and the run is on record", async () => {
    const daemon = await startDaemon({ system: true });
    onTestFinished(() => daemon.stop());
    const sockets = await mkdtemp("/tmp/bw-");
    onTestFinished(() => rm(sockets, { recursive: true }));
    const release = Promise.withResolvers<void>();
    const path = join(sockets, "s");
    const proxy = await openProxy(
      path,
      async ({ procedure, count }) =>
        procedure === PROCEDURE.DOMAIN_CREATE_WITH_FLAGS && count === 1
          ? { when: "before", how: "drop", heldUntil: release.promise }
          : undefined,
      daemon.socketPath,
    );
    onTestFinished(() => proxy.close());
    const uri = (socket: string) => `qemu:///system?socket=${socket}`;
    const libvirt = openLibvirt({ uri: uri(daemon.socketPath) });
    onTestFinished(() => libvirt.close());
    const testbed = await openTestbed({
      isos: [isos.both],
      uri: uri(daemon.socketPath),
      settings: ["--connection", `local=libvirt,uri=${uri(path)}`],
    });
    onTestFinished(() => testbed.close());
    const { uuid } = await testbed.create("late", { iso_path: testbed.iso(isos.both) });

    const lost = await testbed.server.refusal("start_vm", { vm: uuid });
    expect(lost).toMatchObject({ code: "OUTCOME_UNKNOWN", details: { until: expect.any(String) } });
    const { operation, until } = lost!.details;
    const other = await testbed.server.refusal("detach_iso", { vm: uuid });
    expect(other).toMatchObject({ code: "OUTCOME_UNKNOWN", details: { operation, until } });
    expect(await testbed.call("get_vm", { vm: uuid })).toMatchObject({ power: "off" });

    release.resolve();
    const status = async () => (await testbed.call("get_operation", { operation: String(operation) })).status;
    await expect.poll(status, { timeout: SETTLED_MS }).toBe("applied");
    expect(await testbed.call("get_vm", { vm: uuid })).toMatchObject({ power: "running" });
    expect(await disagreements(libvirt, testbed.directory, uuid)).toEqual([]);
    await testbed.call("delete_vm", { vm: uuid, force: true });
  });
});
