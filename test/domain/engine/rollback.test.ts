/** What becomes of an operation that fails on its way: what is undone, what stays, and what is never rolled over. */
import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { DomainError } from "../../../src/domain/error.ts";
import { GIB, isos, orderChange, world } from "../../support/world.ts";
import { AT, refused } from "../fixture.ts";
import { applying, perform, recordCalls, refusing } from "./faults.ts";
import { attach, edit, look, meaningOf, orderIn, threeSteps } from "./three-steps.ts";

describe("operate() when a step fails", () => {
  test("operate() takes an error for no proof that nothing happened", async () => {
    const w = await world();
    const at = await w.create();
    const lying = applying(w.ports, async (real, vm, change, context) => {
      await real(vm, change, context);
      throw new Error("Timed out during operation");
    });
    const outcome = await perform(lying, at, threeSteps, { look });
    expect(outcome).toMatchObject({ changed: true, after: { record: { status: "Installed", requestedOrder: "hd" } } });
    expect(await w.store.operation(outcome.operation!)).toMatchObject({ status: "applied" });
  });

  test("operate() takes the lack of an error for no proof that it happened", async () => {
    const w = await world();
    const at = await w.create();
    const error = await refused(
      "GOAL_NOT_REACHED",
      perform(
        applying(w.ports, async () => {}),
        at,
        (now) => [orderChange(now, "hd")],
      ),
    );
    expect(error.outcome).toMatchObject({ status: "rolled_back", kept: [] });
  });

  test("operate() undoes the earlier steps backwards and says so", async () => {
    const w = await world();
    const at = await w.create();
    const before = await w.look(at);
    const { ports, calls } = recordCalls(
      refusing(
        w.ports,
        "claim.write",
        () => new DomainError("BACKEND_FAILED", { connection: "local", change: "claim.write", reason: "no" }),
      ),
    );
    const error = await refused("BACKEND_FAILED", perform(ports, at, threeSteps, { look }));
    expect(calls.filter((call) => call.startsWith("apply"))).toEqual([
      "apply media.set",
      "apply boot_order.set",
      "apply claim.write",
      "apply boot_order.set",
      "apply media.set",
    ]);
    expect(meaningOf(await w.look(at))).toEqual(meaningOf(before));
    const settled = await w.store.operation(error.outcome!.operation);
    expect(error.outcome).toEqual({ operation: settled!.id, status: "rolled_back", kept: [] });
    expect(settled).toMatchObject({ status: "rolled_back", direction: "back", error: { code: "BACKEND_FAILED" } });
    expect(settled?.steps.map(({ status }) => status)).toEqual(["undone", "undone", "planned", "planned"]);
    expect((await w.store.events()).at(-1)?.event).toMatchObject({
      type: "operation.rolled_back",
      data: { code: "BACKEND_FAILED", kept: [] },
    });
  });

  test("operate() undoes half of a step that failed on its way", async () => {
    const w = await world();
    const at = await w.create();
    await perform(w.ports, at, [{ kind: "power.start", purpose: "live", at: AT }], { accept: ["NOTHING_BOOTS"] });
    // The next definition is written, the live one is not.
    const half = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind !== "media.set" || change.next === undefined) return real(vm, change, context);
      edit(w, at.uuid, { drives: [{ target: "sda", bus: "sata", tray: "closed", path: change.next }] });
      throw new Error("unable to execute QEMU command 'blockdev-change-medium'");
    });
    await expect(perform(half, at, [{ ...attach, live: isos.installer } as Change], { look })).rejects.toThrow();
    expect((await w.look(at)).vm?.next.drives[0]).not.toHaveProperty("path");
  });

  test("operate() keeps the growth of a disk, since undoing it is shrinking", async () => {
    const w = await world();
    const at = await w.create();
    const path = (await w.look(at)).vm!.next.disks[0]!.path!;
    const grow = { kind: "disk.resize", disk: "vda", path, sizeBytes: 40 * GIB } as const;
    const failing = refusing(w.ports, "claim.write", () => new DomainError("CANCELLED", { vm: "web" }));
    const error = await refused(
      "CANCELLED",
      perform(failing, at, (now) => [grow, ...threeSteps(now)], { look }),
    );
    expect(error.outcome).toMatchObject({ status: "failed", kept: ["grow disk vda to 40 GiB"] });
    const now = await w.look(at);
    expect(now.disks[path]!.virtualBytes).toBe(40 * GIB);
    expect(orderIn(now)).toBe("cdrom_hd");
  });

  test("operate() removes the files of a VM that could not be created", async () => {
    const w = await world();
    const made: unknown[] = [];
    const failing = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "vm.create") throw new Error("operation failed: domain 'web' already exists");
      if (change.kind === "disk.create") made.push(change.path);
      await real(vm, change, context);
    });
    const creation = creationOf();
    await expect(
      perform(failing, creation.at, creation.changes, { look: { diskPaths: [creation.path] } }),
    ).rejects.toThrow();
    expect(made).toEqual([creation.path]);
    expect(w.session.files.has(creation.path)).toBe(false);
    expect(await w.store.record(creation.at)).toBeUndefined();
  });

  test("operate() says ROLLBACK_FAILED and what stays when an undo fails", async () => {
    const w = await world();
    const at = await w.create();
    let undoing = false;
    const stubborn = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "claim.write") undoing = true;
      if (undoing) throw new Error("no");
      await real(vm, change, context);
    });
    const error = await refused("ROLLBACK_FAILED", perform(stubborn, at, threeSteps, { look }));
    expect(error.outcome).toMatchObject({ status: "rollback_failed" });
    const settled = await w.store.operation(error.outcome!.operation);
    expect(settled).toMatchObject({
      status: "rollback_failed",
      error: { message: expect.stringContaining("undoing") },
    });
    expect(error.details.left).toEqual([`put ${isos.installer} into CD-ROM drive sda`, "set the boot order to hd"]);
  });

  // A definition whose disk is gone would be worse than none.
  test("operate() puts nothing back once a file is gone", async () => {
    const w = await world();
    const at = await w.create();
    const path = (await w.look(at)).vm!.next.disks[0]!.path!;
    const gone: Change[] = [
      { kind: "vm.delete" },
      { kind: "disk.delete", path },
      { kind: "disk.delete", path: "/memory/images/second.qcow2" },
    ];
    const failing = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "disk.delete" && change.path !== path) throw new DomainError("CANCELLED", { vm: "web" });
      await real(vm, change, context);
    });
    w.session.files.set("/memory/images/second.qcow2", w.session.files.get(path)!);
    const look = { diskPaths: [path, "/memory/images/second.qcow2"] };
    const { details } = await refused("CONFIRMATION_REQUIRED", perform(failing, at, gone, { look }));
    const error = await refused("CANCELLED", perform(failing, at, gone, { look, confirm: details.confirm }));
    expect(error.outcome).toMatchObject({
      status: "failed",
      kept: ["remove the VM's definition", `remove the file ${path}`],
    });
    expect((await w.look(at)).vm).toBeUndefined();
    expect(w.session.files.has(path)).toBe(false);
  });

  test("operate() keeps the record of a VM of which a file is left, and a second deletion removes both", async () => {
    const w = await world();
    const at = await w.create();
    const [path, log] = (await w.look(at)).record!.ownedFiles as [string, string];
    w.session.files.set(log, w.session.files.get(path)!);
    const look = { diskPaths: [path, log] };
    const gone = [path, log].map((each): Change => ({ kind: "disk.delete", path: each }));
    const failing = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "disk.delete" && change.path === log) throw new Error("Device or resource busy");
      await real(vm, change, context);
    });
    const remove = async (ports: typeof w.ports, changes: Change[]) => {
      const { confirm } = (await refused("CONFIRMATION_REQUIRED", perform(ports, at, changes, { look }))).details;
      return perform(ports, at, changes, { look, confirm });
    };
    await expect(remove(failing, [{ kind: "vm.delete" }, ...gone])).rejects.toThrow("busy");
    expect((await w.store.record(at))?.ownedFiles).toContain(log);
    const types = async () => (await w.store.events()).map(({ event }) => event.type);
    expect(await types()).not.toContain("vm.deleted");
    await remove(w.ports, [{ kind: "vm.delete" }, { kind: "disk.delete", path: log }]);
    expect(w.session.files.has(log)).toBe(false);
    expect(await w.store.record(at)).toBeUndefined();
    expect((await types()).filter((type) => type === "vm.deleted")).toHaveLength(1);
  });

  test("operate() believes no undo that the VM does not show", async () => {
    const w = await world();
    const at = await w.create();
    let undoing = false;
    const idle = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind === "claim.write") undoing = true;
      if (change.kind === "claim.write") throw new Error("no");
      if (!undoing) await real(vm, change, context);
    });
    expect((await refused("ROLLBACK_FAILED", perform(idle, at, threeSteps, { look }))).details.left).toHaveLength(2);
  });

  test("operate() takes an error of an undo that worked anyway for no failure", async () => {
    const w = await world();
    const at = await w.create();
    const lying = applying(w.ports, async (real, vm, change, context) => {
      if (change.kind !== "claim.write") await real(vm, change, context);
      throw new DomainError("BACKEND_FAILED", { connection: "local", change: change.kind, reason: "no" });
    });
    expect((await refused("BACKEND_FAILED", perform(lying, at, threeSteps, { look }))).outcome?.status).toBe(
      "rolled_back",
    );
    expect(orderIn(await w.look(at))).toBe("cdrom_hd");
  });
});

const creationOf = () => {
  const uuid = "7c0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c77";
  const path = `/memory/images/${uuid}.qcow2`;
  const spec = {
    uuid,
    name: "web",
    memoryBytes: GIB,
    cpus: 1,
    firmware: "bios",
    tpm: false,
    diskPath: path,
    diskBus: "virtio",
    diskTarget: "vda",
    driveTarget: "sda",
    network: "none",
    order: "cdrom_hd",
    serialLog: "/memory/images/serial.log",
    acceleration: "auto",
    claim: { uuid, revision: 1, status: "NotInstalled" },
  } as const;
  const changes: Change[] = [
    { kind: "disk.create", path, sizeBytes: GIB },
    { kind: "vm.create", spec, ownedFiles: [path], at: AT },
  ];
  return { at: { connection: "local", uuid }, path, changes };
};
