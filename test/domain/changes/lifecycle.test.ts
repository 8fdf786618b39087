import { describe, expect, test } from "vitest";
import {
  definitionFor,
  lifecycleChanges,
  Network,
  targetsFor,
  type VmSpec,
} from "../../../src/domain/changes/lifecycle.ts";
import { bootOrderOf, presetOrders, rolesOf } from "../../../src/domain/model/boot-order.ts";
import { VmName } from "../../../src/domain/model/vm.ts";
import { AT, DISK, GIB, ISO, record, state, target, untagged, vm } from "../fixture.ts";

const claim = { uuid: target.uuid, revision: 1, status: "NotInstalled" };
const spec = (more: Partial<VmSpec> = {}): VmSpec => ({
  uuid: target.uuid,
  name: "web",
  memoryBytes: 2 * GIB,
  cpus: 2,
  firmware: "bios",
  tpm: false,
  diskPath: DISK,
  diskBus: "virtio",
  ...targetsFor(more.diskBus ?? "virtio"),
  network: "user",
  order: "cdrom_hd",
  serialLog: "/images/web.serial.log",
  acceleration: "auto",
  claim,
  ...more,
});
const create = lifecycleChanges["vm.create"];
const empty = { target, disks: {}, isos: {} };
const input = { spec: spec({ isoPath: ISO }), ownedFiles: [DISK], at: AT };

describe("definitionFor()", () => {
  test.each(presetOrders)("definitionFor() boots %s as asked for, with the recorded devices", (order) => {
    for (const diskBus of ["virtio", "sata", "scsi"] as const) {
      const asked = spec({ order, diskBus });
      const made = definitionFor(asked);
      expect(rolesOf(made)).toEqual({ systemDisk: asked.diskTarget, isoDrive: asked.driveTarget });
      expect(bootOrderOf(made, rolesOf(made))).toEqual({ order, others: [] });
      expect(asked.diskTarget).not.toBe(asked.driveTarget);
    }
  });
});

describe("vm.create", () => {
  test("vm.create leads to a goal that it recognises, and not in another VM", () => {
    const goal = create.goal(empty, input);
    expect(create.reached(goal, goal, input, empty)).toBe(true);
    expect(create.reached(empty, goal, input, empty)).toBe(false);
    expect(create.reached({ ...goal, vm: vm({ claim: { ...claim, uuid: "another" } }) }, goal, input, empty)).toBe(
      false,
    );
    expect(create.reached({ ...goal, vm: untagged }, goal, input, empty)).toBe(false);
  });

  test("vm.create records what was asked for and what belongs to it", () => {
    const goal = { ...create.goal(empty, input), isos: state().isos };
    expect(create.record!(undefined, goal, input)).toEqual({
      ...target,
      name: "web",
      roles: { systemDisk: "vda", isoDrive: "sda" },
      status: "NotInstalled",
      requestedOrder: "cdrom_hd",
      ownedFiles: [DISK],
      isoIdentity: "iso-1",
      revision: 1,
      origin: "created",
      createdAt: AT,
      updatedAt: AT,
    });
    expect(create.undo(empty, input)).toEqual([{ kind: "vm.delete" }]);
  });
});

describe("vm.adopt", () => {
  const adopt = lifecycleChanges["vm.adopt"];
  const { record: _none, ...unmanaged } = state();

  test("vm.adopt owns no file and has asked for no order", () => {
    const made = adopt.record!(undefined, unmanaged, { at: AT });
    expect(made).toMatchObject({
      origin: "adopted",
      ownedFiles: [],
      status: "NotInstalled",
      roles: { systemDisk: "vda", isoDrive: "sda" },
    });
    expect(made).not.toHaveProperty("requestedOrder");
  });

  test("vm.adopt leaves a record that is there as it is", () => {
    expect(adopt.record!(record({ status: "Installed" }), state(), { at: AT })).toEqual(
      record({ status: "Installed" }),
    );
    expect(adopt.reached(state(), state(), { at: AT }, state())).toBe(true);
    expect(adopt.reached(unmanaged, unmanaged, { at: AT }, unmanaged)).toBe(false);
  });
});

describe("vm.delete", () => {
  const remove = lifecycleChanges["vm.delete"];
  test("vm.delete can be taken back until a file is removed", () => {
    expect(remove.undo(state(), {})).toBe("restore");
    expect(remove.goal(state(), {})).not.toHaveProperty("vm");
    expect(remove.record!(record(), state(), {})).toBeNull();
    expect(remove.loses!(state(), {})).toEqual(["the definition of VM web"]);
  });
});

describe("VmName and Network", () => {
  test.each(["web", "web-1", "a", "9.lab_2", "x".repeat(64)])("VmName takes %s", (name) =>
    expect(VmName.parse(name)).toBe(name),
  );
  test.each(["", "-web", ".web", "we b", "web/1", "wéb", "web\n", "../etc", "x".repeat(65), "<web>"])(
    "VmName refuses %j",
    (name) => {
      expect(VmName.safeParse(name).success).toBe(false);
    },
  );
  test.each(["user", "none", "network:default", "bridge:br0"])("Network takes %s", (network) =>
    expect(Network.parse(network)).toBe(network),
  );
  test.each(["default", "network:", "bridge:br 0", "network:<x>", "bridge:br0\n"])("Network refuses %j", (network) => {
    expect(Network.safeParse(network).success).toBe(false);
  });
});
