/** For each change that a backend makes: situations that it is applied in, and the change. */

import type { Change, ChangeKind } from "../../src/domain/changes/catalogue.ts";
import { bootWith, type PresetOrder, rolesOf } from "../../src/domain/model/boot-order.ts";
import type { State } from "../../src/domain/model/state.ts";
import { creation, DISK_BYTES, type Harness, start } from "./contract-harness.ts";

export type Case = Readonly<{
  arrange(harness: Harness): Promise<State>;
  change(before: State, harness: Harness): Change;
}>;

const order =
  (preset: PresetOrder) =>
  ({ vm }: State): Change => ({
    kind: "boot_order.set",
    boot: bootWith(vm!.next, rolesOf(vm!.next), preset),
    order: preset,
  });

/** The other style: each device carries its own number. */
const perDevice = ({ vm }: State): Change => {
  const { systemDisk, isoDrive } = rolesOf(vm!.next);
  return {
    kind: "boot_order.set",
    boot: {
      style: "device",
      entries: [
        { device: `disk:${systemDisk}`, order: 1 },
        { device: `cdrom:${isoDrive}`, order: 2 },
      ],
    },
  };
};

/** What is in the ISO drive, for the next start, and for the running VM too if there is one. */
export const medium = ({ vm }: State, path?: string): Change => ({
  kind: "media.set",
  drive: rolesOf(vm!.next).isoDrive!,
  force: false,
  ...(path !== undefined && { next: path, ...(vm!.live && { live: path }) }),
});

const tag = ({ vm }: State): Change => ({
  kind: "claim.write",
  tag: { uuid: vm!.uuid, revision: 2, status: "Installing" },
});

const secondDisk = ({ target }: State, { backend }: Harness) => backend.images.pathFor(target.uuid, "data.qcow2");

async function besideSecondDisk(harness: Harness): Promise<State> {
  const made = await harness.make();
  const path = secondDisk(made, harness);
  harness.track(path);
  return harness.look(made.target.uuid, { disks: [path] });
}

const createSecond = (state: State, harness: Harness): Change => ({
  kind: "disk.create",
  path: secondDisk(state, harness),
  sizeBytes: DISK_BYTES,
});

const grow = ({ vm, disks }: State): Change => {
  const { target, path } = vm!.next.disks[0]!;
  return { kind: "disk.resize", disk: target, path: path!, sizeBytes: (disks[path!]?.virtualBytes ?? 0) * 2 };
};

const extraDrive = { target: "sdc", bus: "sata" } as const;
const withExtraDrive = async (harness: Harness) =>
  harness.apply(await harness.make(), { kind: "drive.add", ...extraDrive });

async function saved(harness: Harness): Promise<State> {
  if (!harness.saveState) throw new Error("open() gives no saveState: put this test on the skip list, with the reason");
  const { target } = await harness.make({}, true);
  await harness.saveState(target.uuid);
  return harness.look(target.uuid);
}

export const changeCases: Readonly<Partial<Record<ChangeKind, Readonly<Record<string, Case>>>>> = {
  "vm.create": {
    "empty tray": {
      arrange: (harness) => harness.prepare(harness.newSpec()),
      change: ({ target }, harness) => creation(harness.newSpec({ uuid: target.uuid })),
    },
    "with an ISO": {
      arrange: (harness) => harness.prepare(harness.newSpec({ isoPath: harness.isos.bootable })),
      change: ({ target }, harness) => creation(harness.newSpec({ uuid: target.uuid, isoPath: harness.isos.bootable })),
    },
  },
  "vm.delete": {
    off: { arrange: (harness) => harness.make(), change: () => ({ kind: "vm.delete" }) },
  },
  "vm.rename": {
    off: {
      arrange: (harness) => harness.make(),
      change: ({ vm }) => ({ kind: "vm.rename", name: `${vm!.name}-again` }),
    },
  },
  "power.start": {
    off: { arrange: (harness) => harness.make(), change: () => start },
    "off, with an ISO": { arrange: (harness) => harness.make({ isoPath: harness.isos.bootable }), change: () => start },
  },
  "power.stop": {
    "running, by force": {
      arrange: (harness) => harness.make({}, true),
      change: () => ({ kind: "power.stop", force: true, timeoutMs: 0 }),
    },
  },
  "reboot_action.set": {
    running: {
      arrange: (harness) => harness.make({}, true),
      change: () => ({ kind: "reboot_action.set", endsRun: true }),
    },
  },
  "saved_state.discard": {
    off: { arrange: saved, change: () => ({ kind: "saved_state.discard" }) },
  },
  "boot_order.set": {
    off: { arrange: (harness) => harness.make(), change: order("hd") },
    "off, from CD-ROM first to disk first": { arrange: (harness) => harness.make(), change: order("hd_cdrom") },
    "off, into the per-device style": { arrange: (harness) => harness.make(), change: perDevice },
    running: { arrange: (harness) => harness.make({}, true), change: order("hd") },
  },
  "media.set": {
    "off, insert": {
      arrange: (harness) => harness.make(),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "off, replace": {
      arrange: (harness) => harness.make({ isoPath: harness.isos.data }),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "off, eject": {
      arrange: (harness) => harness.make({ isoPath: harness.isos.data }),
      change: (before) => medium(before),
    },
    "running, insert": {
      arrange: (harness) => harness.make({}, true),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "running, replace": {
      arrange: (harness) => harness.make({ isoPath: harness.isos.data }, true),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "running, eject": {
      arrange: (harness) => harness.make({ isoPath: harness.isos.data }, true),
      change: (before) => medium(before),
    },
  },
  "drive.add": {
    off: { arrange: (harness) => harness.make(), change: () => ({ kind: "drive.add", ...extraDrive }) },
    running: { arrange: (harness) => harness.make({}, true), change: () => ({ kind: "drive.add", ...extraDrive }) },
  },
  "drive.remove": {
    off: { arrange: withExtraDrive, change: () => ({ kind: "drive.remove", target: extraDrive.target }) },
  },
  "claim.write": {
    off: { arrange: (harness) => harness.make(), change: tag },
    running: { arrange: (harness) => harness.make({}, true), change: tag },
    "taking it out": { arrange: (harness) => harness.make(), change: () => ({ kind: "claim.write" }) },
  },
  "disk.create": {
    off: { arrange: besideSecondDisk, change: createSecond },
  },
  "disk.delete": {
    off: {
      arrange: async (harness) => {
        const before = await besideSecondDisk(harness);
        return harness.apply(before, createSecond(before, harness));
      },
      change: (before, harness) => ({ kind: "disk.delete", path: secondDisk(before, harness) }),
    },
  },
  "disk.resize": {
    off: { arrange: (harness) => harness.make(), change: grow },
    running: { arrange: (harness) => harness.make({}, true), change: grow },
  },
};
