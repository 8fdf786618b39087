/** What the domain's tests share: a VM of one virtio disk and one SATA CD-ROM drive, and the facts of its images. */

import type { Change, ChangeKind } from "../../src/domain/changes/catalogue.ts";
import { changes } from "../../src/domain/changes/catalogue.ts";
import type { Plan } from "../../src/domain/engine/plan.ts";
import { DomainError, type ErrorCode } from "../../src/domain/error.ts";
import { bootWith, type PresetOrder } from "../../src/domain/model/boot-order.ts";
import type { DiskFact, IsoFact } from "../../src/domain/model/image-fact.ts";
import type { ImageIdentity } from "../../src/domain/model/image-ref.ts";
import { rolesFor } from "../../src/domain/model/roles.ts";
import type { State } from "../../src/domain/model/state.ts";
import type { BootConfig, Disk, Drive, Target, Vm, VmDefinition } from "../../src/domain/model/vm.ts";
import type { VmRecord } from "../../src/domain/model/vm-record.ts";
import type { Capabilities, RunningEffect } from "../../src/domain/ports/backend.ts";

export const target: Target = { connection: "local", uuid: "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c01" };
export const DISK = "/images/web.qcow2";
export const ISO = "/isos/debian.iso";
export const AT = "2026-11-23T10:00:00.000Z";
export const GIB = 1024 ** 3;

const classesOf: Record<PresetOrder, readonly string[]> = {
  cdrom_hd: ["class:cdrom", "class:hd"],
  hd: ["class:hd"],
  cdrom: ["class:cdrom"],
  hd_cdrom: ["class:hd", "class:cdrom"],
};

/** A boot configuration in the style of `<os><boot dev>`. */
export const osBoot = (...devices: string[]): BootConfig => ({
  style: "os",
  entries: devices.map((device, index) => ({ device, order: index + 1 })),
});
export const presetBoot = (order: PresetOrder): BootConfig => osBoot(...classesOf[order]);

/** A boot configuration in the per-device style, from device to number. */
export const deviceBoot = (numbers: Readonly<Record<string, number>>): BootConfig => ({
  style: "device",
  entries: Object.entries(numbers).map(([device, order]) => ({ device, order })),
});

export const disk = (more: Partial<Disk> = {}): Disk => ({
  target: "vda",
  bus: "virtio",
  path: DISK,
  format: "qcow2",
  readOnly: false,
  shareable: false,
  ...more,
});
export const drive = (more: Partial<Drive> = {}): Drive => ({ target: "sda", bus: "sata", tray: "closed", ...more });

export const definition = (more: Partial<VmDefinition> = {}): VmDefinition => ({
  firmware: "bios",
  machine: "q35",
  memoryBytes: 2 * GIB,
  cpus: 2,
  disks: [disk()],
  drives: [drive()],
  boot: presetBoot("cdrom_hd"),
  directKernel: false,
  ...more,
});

export const vm = (more: Partial<Vm> = {}): Vm => ({
  uuid: target.uuid,
  name: "web",
  power: "off",
  persistent: true,
  savedState: false,
  next: definition(),
  accelerator: "tcg",
  fingerprint: "f1",
  claim: { uuid: target.uuid, revision: 1, status: "NotInstalled" },
  ...more,
});

/** The same without the metadata tag. */
export const { claim: _tag, ...untagged } = vm();

/** A VM that is running `live`, which is what comes next too unless said otherwise. */
export const running = (live: VmDefinition, more: Partial<Vm> = {}): Vm =>
  vm({ power: "running", run: "run-1", live, next: live, ...more });

export const record = (more: Partial<VmRecord> = {}): VmRecord => ({
  ...target,
  name: "web",
  roles: { systemDisk: "vda", isoDrive: "sda" },
  status: "NotInstalled",
  ownedFiles: [DISK],
  revision: 1,
  origin: "created",
  createdAt: AT,
  updatedAt: AT,
  ...more,
});

/** What the host knows the image at this path by, here. */
export const imageAt = (path: string): ImageIdentity => path as ImageIdentity;

export const diskFact = (more: Partial<DiskFact> = {}): DiskFact => ({
  image: imageAt(more.path ?? DISK),
  path: DISK,
  state: "ok",
  format: "qcow2",
  virtualBytes: 20 * GIB,
  content: "blank",
  chain: [DISK],
  ...more,
});
export const blankDisk = diskFact();
export const biosDisk = diskFact({ content: "data", bootsBios: true, bootsUefi: false });
export const uefiDisk = diskFact({ content: "data", bootsBios: false, bootsUefi: true });
export const missingDisk = diskFact({ state: "missing", content: "unknown", chain: [] });

export const isoFact = (more: Partial<IsoFact> = {}): IsoFact => ({
  path: ISO,
  state: "ok",
  bootsBios: true,
  bootsUefi: true,
  identity: "iso-1",
  ...more,
});

export const state = (more: Partial<State> = {}): State => ({
  target,
  vm: vm(),
  record: record(),
  disks: { [DISK]: blankDisk },
  isos: { [ISO]: isoFact() },
  ...more,
});

/** A VM that is off, with this order, this disk and this in its tray. */
export const offWith = (
  order: PresetOrder,
  facts: { disk?: DiskFact; iso?: IsoFact },
  more: Partial<VmDefinition> = {},
): State =>
  state({
    vm: vm({
      next: definition({ boot: presetBoot(order), drives: [drive(facts.iso && { path: facts.iso.path })], ...more }),
    }),
    disks: { [DISK]: facts.disk ?? blankDisk },
    isos: facts.iso ? { [facts.iso.path]: facts.iso } : {},
  });

/** A backend that can make every change, and says what each does to a running VM. */
export const able = (
  effects: Partial<Record<ChangeKind, RunningEffect>> = {},
  except: readonly ChangeKind[] = [],
): Capabilities => {
  const usual: Partial<Record<ChangeKind, RunningEffect>> = {
    "boot_order.set": "next_start",
    "drive.add": "next_start",
  };
  const kinds = (Object.keys(changes) as ChangeKind[]).filter(
    (kind) => changes[kind].appliedBy === "backend" && !except.includes(kind),
  );
  return {
    backend: "test",
    groups: [],
    changes: Object.fromEntries(kinds.map((kind) => [kind, { running: effects[kind] ?? usual[kind] ?? "now" }])),
  };
};

/** What a backend can that can nothing. */
export const ableToNothing: Capabilities = { backend: "none", groups: [], changes: {} };

/** The refusal that `run` ends in. */
export function refusal<C extends ErrorCode>(code: C, run: () => unknown): DomainError<C> {
  try {
    run();
  } catch (error) {
    if (error instanceof DomainError && error.code === code) return error as DomainError<C>;
    throw error;
  }
  throw new Error(`Nothing was refused, where ${code} was expected`);
}

/** The refusal that a promise ends in. */
export async function refused<C extends ErrorCode>(code: C, work: Promise<unknown>): Promise<DomainError<C>> {
  const result = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  return refusal(code, () => {
    if (result) throw result.error;
  });
}

/** Changes that several files of tests plan. */
export const order = (given: State, to: PresetOrder): Change => ({
  kind: "boot_order.set",
  boot: bootWith(given.vm!.next, rolesFor(given), to),
  order: to,
});
export const attach = (path = ISO, more: object = {}): Change => ({
  kind: "media.set",
  drive: "sda",
  force: false,
  next: path,
  ...more,
});
export const detach: Change = { kind: "media.set", drive: "sda", force: false };
export const start: Change = { kind: "power.start", purpose: "normal", at: AT };
export const grow = { kind: "disk.resize", disk: "vda", path: DISK, sizeBytes: 40 * GIB } as const satisfies Change;
export const kindsOf = (plan: Plan) => plan.steps.map(({ change }) => change.kind);
