/** Lists ISOs, and attaches and detaches them. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { vmOf } from "../domain/changes/change.ts";
import { goalOf } from "../domain/changes/goal.ts";
import { mediaChange } from "../domain/changes/media.ts";
import { DomainError } from "../domain/error.ts";
import { finding } from "../domain/model/finding.ts";
import type { IsoFact } from "../domain/model/image-fact.ts";
import type { State } from "../domain/model/state.ts";
import type { Vm } from "../domain/model/vm.ts";
import type { Backend } from "../domain/ports/backend.ts";
import { ChangeView, changeVm, viewOutcome, vmChangeInput } from "./change.ts";
import { backendFor, findVm, withReadTimeout } from "./find-vm.ts";
import { isUnreachable, StaleView } from "./read-vm.ts";
import { defineTool, type ToolContext } from "./tool.ts";

export const isoInput = z
  .string()
  .min(1)
  .max(4096)
  .describe("Path of an ISO in the library, or its file name from list_isos");

/** The absolute path of an ISO, which must be inside the library of the VM's connection. */
export async function resolveIso(
  context: ToolContext,
  vm: string,
  iso: string | undefined,
): Promise<string | undefined> {
  if (iso === undefined) return undefined;
  const { backend } = await findVm(context, vm);
  return backend.images.resolveIso(iso);
}

const listIsos = defineTool({
  name: "list_isos",
  title: "List ISOs",
  description:
    "List the ISO images that may be attached: name, path, size, volume label, whether BIOS and UEFI can boot it, and which VMs have it in a drive.",
  effect: "read",
  scans: true,
  needs: [],
  http: { method: "GET", path: "/isos" },
  input: z.object({
    connection: z.string().max(64).optional(),
    search: z.string().max(200).optional().describe("Only names and labels that contain this text"),
    limit: z.number().int().min(1).max(1000).default(200),
  }),
  output: z.object({
    isos: z.array(
      z.object({
        name: z.string(),
        path: z.string(),
        size_bytes: z.number().optional(),
        volume_label: z.string().optional().describe("Text from the image itself: untrusted"),
        boots_bios: z.boolean(),
        boots_uefi: z.boolean(),
        problem: z.string().optional(),
        used_by: z.array(z.string()),
        used_by_total: z.number().optional().describe("The number of VMs, if used_by does not name all"),
      }),
    ),
    total: z.number(),
    directories: z.array(z.string()),
    stale: StaleView.stale.describe("The connection did not answer: used_by is from the record, the rest is current"),
    stale_reason: StaleView.stale_reason,
  }),
  async run({ connection, search, limit }, context) {
    const backend = await backendFor(context, connection);
    const [facts, { holders, unasked }] = await Promise.all([
      backend.images.isos(context.call.deadline.signal),
      holdersOn(context, backend),
    ]);
    const wanted = search?.toLowerCase();
    const shown = facts.filter(
      ({ path, volumeLabel }) => !wanted || `${nameOf(path)} ${volumeLabel ?? ""}`.toLowerCase().includes(wanted),
    );
    return {
      total: shown.length,
      directories: [...backend.images.isoDirectories],
      ...(unasked && { stale: true, stale_reason: unasked.message }),
      isos: shown.slice(0, limit).map((fact) => ({
        name: nameOf(fact.path),
        path: fact.path,
        ...(fact.sizeBytes !== undefined && { size_bytes: fact.sizeBytes }),
        ...(fact.volumeLabel !== undefined && { volume_label: fact.volumeLabel }),
        boots_bios: fact.bootsBios,
        boots_uefi: fact.bootsUefi,
        ...problemOf(fact),
        ...usedBy(holders(fact.path)),
      })),
    };
  },
});

const problemOf = ({ state, truncated }: IsoFact) => {
  if (state !== "ok") return { problem: state };
  return truncated ? { problem: "truncated" } : {};
};

/** The number of VMs named for one ISO. */
const HOLDERS_SHOWN_MAX = 50;
const usedBy = (names: readonly string[]) => ({
  used_by: names.slice(0, HOLDERS_SHOWN_MAX),
  ...(names.length > HOLDERS_SHOWN_MAX && { used_by_total: names.length }),
});

/** Finds the VMs that have an ISO in a drive, from the record if the connection does not answer. */
async function holdersOn(context: ToolContext, backend: Backend) {
  try {
    const vms = await withReadTimeout(context, (signal) => backend.list(signal));
    const has = (path: string) => (vm: Vm) =>
      [...vm.next.drives, ...(vm.live?.drives ?? [])].some((drive) => drive.path === path);
    return { holders: (path: string) => vms.filter(has(path)).map(({ name }) => name) };
  } catch (error) {
    context.call.signal.throwIfAborted();
    if (!isUnreachable(error)) throw error;
    const records = await (await context.store()).records(backend.connection);
    const holders = (path: string) => records.filter(({ seen }) => seen?.media === path).map(({ name }) => name);
    return { holders, unasked: error };
  }
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

const driveInput = z
  .string()
  .max(16)
  .optional()
  .describe("Target of the CD-ROM drive, for a second drive; default: the ISO drive");

const attachIso = defineTool({
  name: "attach_iso",
  title: "Attach ISO",
  description:
    "Put an ISO from the library into a VM's CD-ROM drive, now and for the next start, in any installation status. It replaces the present ISO. The boot order stays.",
  effect: "change",
  needs: ["media.set"],
  http: { method: "POST", path: "/vms/{vm}/media/attach" },
  input: z.object({
    ...vmChangeInput,
    iso_path: isoInput,
    drive: driveInput,
    force: z.boolean().default(false).describe("Open the tray even if the guest has locked it"),
  }),
  output: ChangeView,
  async run(input, context) {
    const iso = await resolveIso(context, input.vm, input.iso_path);
    const outcome = await changeVm(context, input.vm, {
      tool: "attach_iso",
      input,
      observe: { isoPaths: [iso!] },
      intent: (state) => attachChanges(state, input, iso!),
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "check_boot", arguments: { vm: outcome.after.target.uuid } }]);
  },
});

function attachChanges(
  state: State,
  input: { drive?: string | undefined; force: boolean; accept: readonly string[] },
  iso: string,
): Change[] {
  const vm = vmOf(state);
  if (vm.next.drives.length > 0) return [mediaChange(state, input.drive, iso, input.force)];
  if (!input.accept.includes("NO_CDROM_DRIVE")) {
    const message = "the VM has no CD-ROM drive; accepting this adds one for its next cold start";
    throw new DomainError("BLOCKED_BY_FINDINGS", {
      vm: vm.name,
      action: "attach an ISO to",
      findings: [finding("NO_CDROM_DRIVE", message)],
    });
  }
  const bus = vm.next.machine === "i440fx" ? "ide" : "sata";
  const add = {
    kind: "drive.add" as const,
    target: freeTarget(
      vm.next.disks.map(({ target }) => target),
      bus,
    ),
    bus,
  } as const;
  return [add, mediaChange(goalOf(state, add), add.target, iso, input.force)];
}

const freeTarget = (taken: readonly string[], bus: "sata" | "ide") => {
  const prefix = bus === "ide" ? "hd" : "sd";
  return (
    [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => prefix + letter).find((target) => !taken.includes(target)) ??
    `${prefix}a`
  );
};

const detachIso = defineTool({
  name: "detach_iso",
  title: "Detach ISO",
  description:
    "Empty a VM's CD-ROM drive, now and for the next start. No finding blocks it. A tray locked by the guest is retried, then refused with the way out. Ejecting ends an install loop: the guest's next reboot falls through to the disk.",
  effect: "change",
  needs: ["media.set"],
  http: { method: "POST", path: "/vms/{vm}/media/detach" },
  input: z.object({
    ...vmChangeInput,
    drive: driveInput,
    force: z.boolean().default(false).describe("Open the tray even if the guest has locked it"),
  }),
  output: ChangeView,
  async run(input, context) {
    const outcome = await changeVm(context, input.vm, {
      tool: "detach_iso",
      input,
      intent: (state) => [mediaChange(state, input.drive, undefined, input.force)],
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "check_boot", arguments: { vm: outcome.after.target.uuid } }]);
  },
});

export const mediaTools = [listIsos, attachIso, detachIso];
