/** A managed VM's beginning and end: creating, adopting, deleting. */
import { z } from "zod";
import { PresetOrder, rolesOf } from "../model/boot-order.ts";
import { InstallationStatus } from "../model/installation.ts";
import { ClaimTag, Firmware, type Vm, type VmDefinition, VmName } from "../model/vm.ts";
import type { VmRecord } from "../model/vm-record.ts";
import { defineChange, vmOf } from "./change.ts";

export const DiskBus = z.enum(["virtio", "sata", "scsi"]).describe("Bus of the system disk");
export const Network = z
  .union([
    z.literal("user"),
    z.literal("none"),
    z.string().regex(/^(network|bridge):[\w.-]{1,64}$/, "network:NAME or bridge:NAME"),
  ])
  .describe("user (NAT by QEMU, needs nothing on the host), none, network:NAME (a libvirt network) or bridge:NAME");
export const Acceleration = z
  .enum(["auto", "kvm", "tcg"])
  .describe("auto: KVM (on macOS HVF) where a probe guest really runs under it, else emulation (TCG)");

/** The complete specification of a new VM: every default is filled in. */
export const VmSpec = z.object({
  uuid: z.string(),
  name: VmName,
  memoryBytes: z.number().int().positive(),
  cpus: z.number().int().positive(),
  firmware: Firmware,
  tpm: z.boolean(),
  diskPath: z.string(),
  diskBus: DiskBus,
  diskTarget: z.string(),
  driveTarget: z.string(),
  network: Network,
  order: PresetOrder,
  isoPath: z.string().optional(),
  serialLog: z.string(),
  acceleration: Acceleration,
  claim: ClaimTag,
});
export type VmSpec = Readonly<z.infer<typeof VmSpec>>;

/** The targets of a new VM's disk and CD-ROM drive: SATA and SCSI disks share one sequence of names with the drive. */
export const targetsFor = (bus: z.infer<typeof DiskBus>) =>
  bus === "virtio" ? { diskTarget: "vda", driveTarget: "sda" } : { diskTarget: "sda", driveTarget: "sdb" };

/** The definition that a spec results in. */
export function definitionFor(spec: VmSpec): VmDefinition {
  const classes = { cdrom_hd: ["cdrom", "hd"], hd: ["hd"], cdrom: ["cdrom"], hd_cdrom: ["hd", "cdrom"] }[spec.order];
  return {
    firmware: spec.firmware,
    machine: "q35",
    memoryBytes: spec.memoryBytes,
    cpus: spec.cpus,
    disks: [
      {
        target: spec.diskTarget,
        bus: spec.diskBus,
        path: spec.diskPath,
        format: "qcow2",
        readOnly: false,
        shareable: false,
      },
    ],
    drives: [{ target: spec.driveTarget, bus: "sata", tray: "closed", ...(spec.isoPath && { path: spec.isoPath }) }],
    boot: { style: "os", entries: classes.map((name, index) => ({ device: `class:${name}`, order: index + 1 })) },
    directKernel: false,
    serialLog: spec.serialLog,
  };
}

const newRecord = (vm: Vm, connection: string, at: string, more: Partial<VmRecord>): VmRecord => ({
  connection,
  uuid: vm.uuid,
  name: vm.name,
  roles: rolesOf(vm.next),
  status: "NotInstalled",
  ownedFiles: [],
  revision: 1,
  origin: "adopted",
  createdAt: at,
  updatedAt: at,
  ...more,
});

export const lifecycleChanges = {
  "vm.create": defineChange({
    input: z.object({ spec: VmSpec, ownedFiles: z.array(z.string()), at: z.string() }),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next", record: true }),
    takesDefinition: true,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    gate: "attach",
    goal: (state, { spec }) => ({
      ...state,
      vm: {
        uuid: spec.uuid,
        name: spec.name,
        power: "off",
        persistent: true,
        savedState: false,
        next: definitionFor(spec),
        accelerator: "none",
        fingerprint: "planned",
        claim: spec.claim,
      },
    }),
    reached: (now, _goal, { spec }) =>
      now.vm?.uuid === spec.uuid &&
      now.vm.claim?.uuid === spec.uuid &&
      now.vm.next.disks.some((d) => d.path === spec.diskPath),
    undo: () => [{ kind: "vm.delete" }],
    /** A VM that is created again after it was gone keeps its record. */
    record(record, now, { spec, ownedFiles, at }) {
      if (record) return record;
      const identity = spec.isoPath ? now.isos[spec.isoPath]?.identity : undefined;
      return newRecord(vmOf(now), now.target.connection, at, {
        origin: "created",
        requestedOrder: spec.order,
        ownedFiles,
        roles: { systemDisk: spec.diskTarget, isoDrive: spec.driveTarget },
        ...(identity && { isoIdentity: identity }),
      });
    },
    events: ({ record }, _after, { spec }) => [
      {
        type: record ? "vm.restored" : "vm.created",
        data: {
          name: spec.name,
          boot_order: spec.order,
          disk_path: spec.diskPath,
          ...(spec.isoPath && { iso_path: spec.isoPath }),
        },
      },
    ],
    summary: ({ spec }) => `define VM ${spec.name} with boot order ${spec.order}`,
    limitMs: () => 120_000,
  }),
  /** Adopts a VM that another program made. It only adds the record; a separate change writes the claim tag. */
  "vm.adopt": defineChange({
    input: z.object({
      at: z.string(),
      /** Initial values of the record, from the tag that a lost record left in the definition. */
      known: z
        .object({
          status: InstallationStatus,
          revision: z.number().int().positive(),
          origin: z.enum(["created", "adopted"]),
          ownedFiles: z.array(z.string()),
        })
        .exactOptional(),
    }),
    appliedBy: "store",
    writes: "record",
    run: "keeps",
    observes: () => ({ vm: "next", record: true }),
    takesDefinition: true,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal: (state) => state,
    reached: (now) => now.record !== undefined,
    undo: () => "kept",
    record: (record, now, { at, known }) => record ?? newRecord(vmOf(now), now.target.connection, at, known ?? {}),
    events: (before) => [{ type: "vm.adopted", data: { name: vmOf(before).name } }],
    summary: () => "take the VM under management",
  }),
  "vm.rename": defineChange({
    input: z.object({ name: VmName }),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({ name: true }),
    undoLater: "impossible",
    again: (change) => change,
    goal: (state, { name }) => ({ ...state, vm: { ...vmOf(state), name } }),
    reached: (now, _goal, { name }) => now.vm?.name === name,
    undo: (before) => [{ kind: "vm.rename", name: vmOf(before).name }],
    events: (before, _after, { name }) => [{ type: "vm.renamed", data: { from: vmOf(before).name, to: name } }],
    summary: ({ name }) => `rename the VM to ${name}`,
  }),
  "vm.delete": defineChange({
    input: z.object({}),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next", record: true }),
    takesDefinition: false,
    removesVm: true,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal(state) {
      const { vm: _gone, ...rest } = state;
      return rest;
    },
    reached: (now) => now.vm === undefined,
    /** The VM may be gone already while its record is left, when another program removed it. */
    recorded: (record) => record === undefined,
    /** The kept definition can be put back, since only later steps remove files. */
    undo: () => "restore",
    record: () => null,
    loses: (state) => (state.vm ? [`the definition of VM ${state.vm.name}`] : []),
    events: (before) => [{ type: "vm.deleted", data: { name: before.vm?.name ?? before.target.uuid } }],
    summary: () => "remove the VM's definition",
  }),
};
