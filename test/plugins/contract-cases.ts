/** For each change that a backend makes: situations that it is applied in, and the change. */

import type { Change, ChangeKind } from "../../src/domain/changes/catalogue.ts";
import { bootWith, type PresetOrder, rolesOf } from "../../src/domain/model/boot-order.ts";
import type { State } from "../../src/domain/model/state.ts";
import { type Bench, creation, DISK_BYTES, start } from "./contract-bench.ts";

export type Case = Readonly<{ arrange(bench: Bench): Promise<State>; change(before: State, bench: Bench): Change }>;

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

const secondDisk = ({ target }: State, { backend }: Bench) => backend.images.pathFor(target.uuid, "data.qcow2");

async function besideSecondDisk(bench: Bench): Promise<State> {
  const made = await bench.make();
  const path = secondDisk(made, bench);
  bench.track(path);
  return bench.look(made.target.uuid, { disks: [path] });
}

const createSecond = (state: State, bench: Bench): Change => ({
  kind: "disk.create",
  path: secondDisk(state, bench),
  sizeBytes: DISK_BYTES,
});

const grow = ({ vm, disks }: State): Change => {
  const { target, path } = vm!.next.disks[0]!;
  return { kind: "disk.resize", disk: target, path: path!, sizeBytes: (disks[path!]?.virtualBytes ?? 0) * 2 };
};

const extraDrive = { target: "sdc", bus: "sata" } as const;
const withExtraDrive = async (bench: Bench) => bench.apply(await bench.make(), { kind: "drive.add", ...extraDrive });

async function saved(bench: Bench): Promise<State> {
  if (!bench.saveState) throw new Error("open() gives no saveState: put this test on the skip list, with the reason");
  const { target } = await bench.make({}, true);
  await bench.saveState(target.uuid);
  return bench.look(target.uuid);
}

export const changeCases: Readonly<Partial<Record<ChangeKind, Readonly<Record<string, Case>>>>> = {
  "vm.create": {
    "empty tray": {
      arrange: (bench) => bench.prepare(bench.newSpec()),
      change: ({ target }, bench) => creation(bench.newSpec({ uuid: target.uuid })),
    },
    "with an ISO": {
      arrange: (bench) => bench.prepare(bench.newSpec({ isoPath: bench.isos.bootable })),
      change: ({ target }, bench) => creation(bench.newSpec({ uuid: target.uuid, isoPath: bench.isos.bootable })),
    },
  },
  "vm.delete": {
    off: { arrange: (bench) => bench.make(), change: () => ({ kind: "vm.delete" }) },
  },
  "vm.rename": {
    off: { arrange: (bench) => bench.make(), change: ({ vm }) => ({ kind: "vm.rename", name: `${vm!.name}-again` }) },
  },
  "power.start": {
    off: { arrange: (bench) => bench.make(), change: () => start },
    "off, with an ISO": { arrange: (bench) => bench.make({ isoPath: bench.isos.bootable }), change: () => start },
  },
  "power.stop": {
    "running, by force": {
      arrange: (bench) => bench.make({}, true),
      change: () => ({ kind: "power.stop", force: true, timeoutMs: 0 }),
    },
  },
  "reboot_action.set": {
    running: {
      arrange: (bench) => bench.make({}, true),
      change: () => ({ kind: "reboot_action.set", endsRun: true }),
    },
  },
  "saved_state.discard": {
    off: { arrange: saved, change: () => ({ kind: "saved_state.discard" }) },
  },
  "boot_order.set": {
    off: { arrange: (bench) => bench.make(), change: order("hd") },
    "off, from CD-ROM first to disk first": { arrange: (bench) => bench.make(), change: order("hd_cdrom") },
    "off, into the per-device style": { arrange: (bench) => bench.make(), change: perDevice },
    running: { arrange: (bench) => bench.make({}, true), change: order("hd") },
  },
  "media.set": {
    "off, insert": { arrange: (bench) => bench.make(), change: (before, { isos }) => medium(before, isos.bootable) },
    "off, replace": {
      arrange: (bench) => bench.make({ isoPath: bench.isos.data }),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "off, eject": { arrange: (bench) => bench.make({ isoPath: bench.isos.data }), change: (before) => medium(before) },
    "running, insert": {
      arrange: (bench) => bench.make({}, true),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "running, replace": {
      arrange: (bench) => bench.make({ isoPath: bench.isos.data }, true),
      change: (before, { isos }) => medium(before, isos.bootable),
    },
    "running, eject": {
      arrange: (bench) => bench.make({ isoPath: bench.isos.data }, true),
      change: (before) => medium(before),
    },
  },
  "drive.add": {
    off: { arrange: (bench) => bench.make(), change: () => ({ kind: "drive.add", ...extraDrive }) },
    running: { arrange: (bench) => bench.make({}, true), change: () => ({ kind: "drive.add", ...extraDrive }) },
  },
  "drive.remove": {
    off: { arrange: withExtraDrive, change: () => ({ kind: "drive.remove", target: extraDrive.target }) },
  },
  "claim.write": {
    off: { arrange: (bench) => bench.make(), change: tag },
    running: { arrange: (bench) => bench.make({}, true), change: tag },
    "taking it out": { arrange: (bench) => bench.make(), change: () => ({ kind: "claim.write" }) },
  },
  "disk.create": {
    off: { arrange: besideSecondDisk, change: createSecond },
  },
  "disk.delete": {
    off: {
      arrange: async (bench) => {
        const before = await besideSecondDisk(bench);
        return bench.apply(before, createSecond(before, bench));
      },
      change: (before, bench) => ({ kind: "disk.delete", path: secondDisk(before, bench) }),
    },
  },
  "disk.resize": {
    off: { arrange: (bench) => bench.make(), change: grow },
    running: { arrange: (bench) => bench.make({}, true), change: grow },
  },
};
