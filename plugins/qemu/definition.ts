/** The definition of a VM in its file: JSON that a person may read and edit. */
import { z } from "zod";
import {
  ClaimTag,
  canonicalJson,
  definitionFor,
  normaliseDefinition,
  type VmDefinition,
  type VmSpec,
} from "../../src/plugin.ts";

const target = z.string().regex(/^(vd|sd)[a-z]$/, "vda to vdz or sda to sdz");
const path = z.string().startsWith("/", "an absolute path");

export const Accelerator = z.enum(["kvm", "hvf", "tcg"]);
export type Accelerator = z.infer<typeof Accelerator>;

const Schema = z.strictObject({
  format: z.literal(1),
  uuid: z.uuid(),
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "a name of letters, digits, '.', '_' and '-'"),
  accelerator: Accelerator,
  machine: z.literal("q35"),
  firmware: z.enum(["bios", "uefi", "uefi_secure"]),
  tpm: z.boolean(),
  memoryBytes: z.number().int().positive(),
  cpus: z.number().int().positive(),
  disks: z.array(
    z.strictObject({
      target,
      bus: z.enum(["virtio", "sata", "scsi"]),
      path,
      format: z.enum(["qcow2", "raw"]),
      readOnly: z.boolean().default(false),
    }),
  ),
  drives: z.array(z.strictObject({ target, bus: z.enum(["sata", "scsi"]), path: path.exactOptional() })),
  boot: z.strictObject({
    style: z.enum(["os", "device"]),
    entries: z.array(z.strictObject({ device: z.string(), order: z.number().int().min(1) })),
  }),
  network: z.enum(["user", "none"]),
  serialLog: path,
  claim: ClaimTag.exactOptional(),
});
export type Definition = Readonly<z.infer<typeof Schema>>;

/** Parses a definition. @throws Error with the fault of the text */
export function readDefinition(text: string): Definition {
  const parsed = Schema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path: at, message }) => `${at.join(".") || "definition"}: ${message}`);
    throw new Error(issues.join("; "));
  }
  return accepted(parsed.data);
}

export const writtenDefinition = (definition: Definition): string => `${JSON.stringify(definition, undefined, 2)}\n`;

/** The definition with these changes. @throws Error with the hypervisor's message if they are invalid */
export const changed = (definition: Definition, change: Partial<Definition>): Definition =>
  accepted({ ...definition, ...change });

/** The text that the fingerprint is made of. It leaves out the claim tag, so that writing the tag does not look like an
 * edit. */
export const meaningOf = ({ claim: _tag, ...rest }: Definition): string => canonicalJson(rest);

/** The definition of a new VM. @throws Error when this backend has no such network */
export function newDefinition(spec: VmSpec, accelerator: Accelerator): Definition {
  const { network } = spec;
  if (network !== "user" && network !== "none")
    throw new Error(`network ${network} needs libvirt; this backend takes user or none`);
  const { disks: _disks, drives: _drives, boot } = definitionFor(spec);
  return accepted({
    format: 1,
    uuid: spec.uuid,
    name: spec.name,
    accelerator,
    machine: "q35",
    firmware: spec.firmware,
    tpm: spec.tpm,
    memoryBytes: spec.memoryBytes,
    cpus: spec.cpus,
    disks: [{ target: spec.diskTarget, bus: spec.diskBus, path: spec.diskPath, format: "qcow2", readOnly: false }],
    drives: [{ target: spec.driveTarget, bus: "sata", ...(spec.isoPath !== undefined && { path: spec.isoPath }) }],
    boot: { style: boot.style, entries: [...boot.entries] },
    network,
    serialLog: spec.serialLog,
    claim: spec.claim,
  });
}

/** The definition in the domain model. Its trays are closed, since only a running machine has an open one. */
export function asDomain(definition: Definition): VmDefinition {
  const { firmware, machine, memoryBytes, cpus, disks, drives, boot, serialLog } = definition;
  return {
    firmware,
    machine,
    memoryBytes,
    cpus,
    disks: disks.map((disk) => ({ ...disk, shareable: false })),
    drives: drives.map((drive) => ({ ...drive, tray: "closed" })),
    boot,
    directKernel: false,
    serialLog,
  };
}

/** q35 has six SATA ports, which the targets name: sda is the first. */
export const SATA_PORTS = 6;
/** 0 for vda and sda. */
export const letterOf = (name: string): number => name.charCodeAt(2) - "a".charCodeAt(0);

function accepted(definition: Definition): Definition {
  const ordered = normaliseDefinition<Pick<VmDefinition, "disks" | "drives" | "boot">>(asDomain(definition));
  const rank = (all: readonly { target: string }[]) => {
    const places = new Map(all.map(({ target: name }, place) => [name, place]));
    return (a: { target: string }, b: { target: string }) => places.get(a.target)! - places.get(b.target)!;
  };
  const far = [...definition.disks, ...definition.drives].find(
    ({ bus, target: name }) => bus === "sata" && (!name.startsWith("sd") || letterOf(name) >= SATA_PORTS),
  );
  if (far) throw new Error(`target '${far.target}' has no SATA port: there are ${SATA_PORTS}, sda to sdf`);
  return {
    ...definition,
    disks: [...definition.disks].sort(rank(ordered.disks)),
    drives: [...definition.drives].sort(rank(ordered.drives)),
    boot: { style: ordered.boot.style, entries: [...ordered.boot.entries] },
  };
}
