/** Reads a VM's disk, and grows it. */
import { z } from "zod";
import { vmOf } from "../domain/changes/change.ts";
import { DomainError } from "../domain/error.ts";
import type { DiskFact } from "../domain/model/image-fact.ts";
import { rolesFor } from "../domain/model/roles.ts";
import { bytesOf, gibOf, SizeGb } from "../domain/model/size.ts";
import type { State } from "../domain/model/state.ts";
import { diskVerdict } from "../domain/model/verdict.ts";
import { type Disk, diskOf, VmRef } from "../domain/model/vm.ts";
import { ChangeView, changeVm, viewOutcome, vmChangeInput } from "./change.ts";
import { findVm } from "./find-vm.ts";
import { readVm, StaleView, type VmReading, viewStale } from "./read-vm.ts";
import { defineTool } from "./tool.ts";

const diskInput = z.string().max(16).optional().describe("Target of the disk, such as vda; default: the system disk");

/** The requested disk. While the connection does not answer, only the disk on record is known.
 * @throws DomainError DISK_NOT_FOUND, VM_MUST_BE_OFF, and the error of the failed read */
function requestedDisk({ state, stale }: VmReading, target: string | undefined, check: boolean) {
  if (!stale) {
    const disk = diskIn(state, target);
    if (check && vmOf(state).power !== "off")
      throw new DomainError("VM_MUST_BE_OFF", { vm: vmOf(state).name, change: "check the disk" });
    return disk;
  }
  const { roles, seen } = state.record!;
  if (check || seen?.diskPath === undefined || roles.systemDisk === undefined) throw stale.error;
  if (target !== undefined && target !== roles.systemDisk) throw stale.error;
  return { target: roles.systemDisk, path: seen.diskPath };
}

/** @throws DomainError DISK_NOT_FOUND */
function diskIn(state: State, target: string | undefined) {
  const vm = vmOf(state);
  const wanted = target ?? rolesFor(state).systemDisk;
  const disk = diskOf(vm.next, wanted);
  if (!disk)
    throw new DomainError("DISK_NOT_FOUND", {
      vm: vm.name,
      disk: wanted ?? "system disk",
      known: vm.next.disks.map((d) => d.target),
    });
  return disk;
}

const getDiskInfo = defineTool({
  name: "get_disk_info",
  title: "Get disk information",
  description:
    "Get a VM's disk: virtual and actual size, format, backing chain, whether it is blank, has a boot record or is corrupt, and the host's free space. check reads all of the image's tables and needs the VM off.",
  effect: "read",
  scans: true,
  needs: [],
  http: { method: "GET", path: "/vms/{vm}/disk" },
  input: z.object({ vm: VmRef, disk: diskInput, check: z.boolean().default(false) }),
  output: z.object({
    vm: z.string(),
    disk: z.string(),
    path: z.string().optional(),
    state: z.enum(["ok", "missing", "unreadable", "not_a_file"]),
    format: z.string().optional(),
    size_gb: z.number().optional().describe("Virtual size in GiB"),
    virtual_size_bytes: z.number().optional(),
    actual_size_bytes: z.number().optional().describe("Bytes used on the host"),
    content: z.enum(["blank", "data", "unknown"]),
    boots_bios: z.boolean().optional(),
    boots_uefi: z.boolean().optional(),
    verdict: z
      .enum(["boots", "cannot", "unknown"])
      .optional()
      .describe("Whether the VM's own firmware can boot it; absent if the connection did not answer"),
    written_in_run: z
      .boolean()
      .optional()
      .describe("Whether it was written to since the VM's last run began, if that is on record"),
    corrupt: z.boolean().optional().describe("Absent unless it was checked or the image is marked so"),
    backing_chain: z.array(z.string()),
    backing_missing: z.string().optional(),
    host_free_bytes: z.number(),
    host_total_bytes: z.number(),
    ...StaleView,
    stale: StaleView.stale.describe(
      "The connection did not answer: the file's path is from the record, the rest is current",
    ),
  }),
  async run({ vm, disk: target, check }, context) {
    const reading = await readVm(context, vm, { images: false });
    const { state, backend } = reading;
    const disk = requestedDisk(reading, target, check);
    const unknown: DiskFact = { path: "", state: "not_a_file", content: "unknown", chain: [] };
    const fact =
      disk.path === undefined
        ? unknown
        : await backend.images.disk(disk.path, { check, signal: context.call.deadline.signal });
    const space = await backend.images.space(disk.path);
    const noted = disk.target === rolesFor(state).systemDisk ? state.record?.currentRun?.diskIdentity : undefined;
    return {
      vm: state.target.uuid,
      disk: disk.target,
      ...(disk.path !== undefined && { path: disk.path }),
      state: fact.state,
      ...(fact.format !== undefined && { format: fact.format }),
      ...(fact.virtualBytes !== undefined && {
        size_gb: gibOf(fact.virtualBytes),
        virtual_size_bytes: fact.virtualBytes,
      }),
      ...(fact.actualBytes !== undefined && { actual_size_bytes: fact.actualBytes }),
      content: fact.content,
      ...(fact.bootsBios !== undefined && { boots_bios: fact.bootsBios }),
      ...(fact.bootsUefi !== undefined && { boots_uefi: fact.bootsUefi }),
      ...viewVerdict(reading, disk, fact),
      ...(noted !== undefined && { written_in_run: fact.identity !== noted }),
      ...(fact.corrupt !== undefined && { corrupt: fact.corrupt }),
      backing_chain: fact.chain.slice(1),
      ...(fact.backingMissing !== undefined && { backing_missing: fact.backingMissing }),
      host_free_bytes: space.freeBytes,
      host_total_bytes: space.totalBytes,
      ...viewStale(reading.stale),
    };
  },
});

/** A running VM keeps the firmware of its start. */
function viewVerdict({ state, stale }: VmReading, { target }: Pick<Disk, "target">, fact: DiskFact) {
  if (stale) return {};
  const vm = vmOf(state);
  return { verdict: diskVerdict(diskOf(vm.next, target), fact, (vm.live ?? vm.next).firmware).verdict };
}

const resizeDisk = defineTool({
  name: "resize_disk",
  title: "Grow disk",
  description:
    "Grow a VM's disk, running or off; shrinking is refused. The guest must grow its partition and file system itself.",
  effect: "change",
  needs: ["disk.resize"],
  http: { method: "POST", path: "/vms/{vm}/disk/resize" },
  input: z.object({ ...vmChangeInput, size_gb: SizeGb, disk: diskInput }),
  output: ChangeView,
  async run(input, context) {
    const sizeBytes = bytesOf(input.size_gb);
    const { backend } = await findVm(context, input.vm);
    const space = await backend.images.space();
    if (sizeBytes > space.totalBytes)
      throw new DomainError("HOST_SPACE_LACKING", {
        path: backend.images.imageDirectory,
        neededBytes: sizeBytes,
        freeBytes: space.totalBytes,
      });
    const outcome = await changeVm(context, input.vm, {
      tool: "resize_disk",
      input,
      observe: { usage: true },
      intent(state) {
        const disk = diskIn(state, input.disk);
        if (disk.path === undefined)
          throw new DomainError("DISK_NOT_GROWABLE", {
            vm: vmOf(state).name,
            disk: disk.target,
            reason: "it is not a file of this host",
          });
        if (disk.readOnly)
          throw new DomainError("DISK_NOT_GROWABLE", {
            vm: vmOf(state).name,
            disk: disk.target,
            reason: "it is read-only",
          });
        return [{ kind: "disk.resize", disk: disk.target, path: disk.path, sizeBytes }];
      },
    });
    const notes = ["The guest's partition and file system do not grow by themselves"];
    return {
      ...viewOutcome(outcome, input.dry_run, [{ tool: "get_disk_info", arguments: { vm: outcome.after.target.uuid } }]),
      notes,
    };
  },
});

export const diskTools = [getDiskInfo, resizeDisk];
