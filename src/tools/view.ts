/** VMs, findings and predictions as callers see them. Field names are in snake case. Disk sizes are in GiB. */
import { z } from "zod";
import { BootOrder, bootOrderOf } from "../domain/model/boot-order.ts";
import { type BootReport, findingsOf, type Prediction } from "../domain/model/boot-rules.ts";
import { currentBootDevice } from "../domain/model/current-boot.ts";
import type { Finding } from "../domain/model/finding.ts";
import { InstallationStatus } from "../domain/model/installation.ts";
import { pendingBetween } from "../domain/model/pending.ts";
import { rolesFor } from "../domain/model/roles.ts";
import { gibOf } from "../domain/model/size.ts";
import type { State } from "../domain/model/state.ts";
import { diskOf, driveOf, Firmware } from "../domain/model/vm.ts";

export const FixView = z.object({ tool: z.string(), arguments: z.record(z.string(), z.unknown()) });
export const FindingView = z.object({
  code: z.string(),
  severity: z.enum(["error", "warning", "info"]),
  message: z.string(),
  blocks: z.array(z.string()).describe("The actions that it blocks: change, resize, attach, start, status"),
  fixes: z.array(FixView),
});
export const viewFinding = ({ code, severity, message, blocks, fixes }: Finding): z.input<typeof FindingView> => ({
  code,
  severity,
  message,
  blocks: [...blocks],
  fixes: fixes.map((fix) => ({ tool: fix.tool, arguments: { ...fix.arguments } })),
});

export const SuggestionView = z
  .object({ evidence: z.string(), by: z.string(), at: z.string(), run: z.string().optional() })
  .optional()
  .describe("A suggestion that the installation is complete: its author and evidence");
export const viewSuggestion = (record: State["record"]) =>
  record?.suggestion && record.status === "Installing" ? { suggestion: { ...record.suggestion } } : {};

export const VmView = z.object({
  uuid: z.string(),
  name: z.string(),
  connection: z.string(),
  managed: z.boolean().describe("Only managed VMs are changed; adopt_vm takes others under management"),
  power: z
    .enum(["off", "running", "paused", "missing", "unknown"])
    .describe("missing: on record, but gone; unknown: the connection does not answer"),
  power_reason: z.string().optional(),
  installation_status: InstallationStatus.optional(),
  boot_order: BootOrder.optional(),
  boot_from_disk: z.boolean().optional().describe("Whether the disk is first in the boot order"),
  current_boot_device: z.enum(["cdrom", "hd"]).optional().describe("The device that the running VM was started from"),
  current_boot_certainty: z.enum(["predicted", "confirmed"]).optional(),
  disk_path: z.string().optional(),
  disk_size: z.number().optional().describe("Virtual size in GiB"),
  current_media: z.string().optional().describe("ISO in the drive; absent if the tray is empty or open"),
  next_media: z.string().optional().describe("ISO at the next cold start, if it differs from current_media"),
  firmware: Firmware.optional(),
  memory_mb: z.number().optional(),
  cpus: z.number().optional(),
  accelerator: z.enum(["kvm", "hvf", "tcg", "none"]).optional(),
  serial_log: z.string().optional(),
  pending: z.array(z.string()).describe("Changes of the running VM at its next cold start"),
  findings: z.array(FindingView),
});
export type VmView = z.input<typeof VmView>;

/** `stale`: the connection did not answer, so the record is shown. */
export type Freshness = "seen" | "stale";

/** A VM as callers see it. Findings about an image's content appear only if the state has that content. */
export function viewVm(state: State, freshness: Freshness = "seen"): VmView {
  const { vm, record, target } = state;
  const known = { uuid: target.uuid, connection: target.connection, managed: record !== undefined };
  const status = record && { installation_status: record.status };
  if (!vm) {
    const there = { ...known, name: record?.name ?? target.uuid, ...status, pending: [] };
    return freshness === "stale"
      ? { ...there, findings: [], power: "unknown", ...remembered(record) }
      : { ...there, findings: findingsOf(state).map(viewFinding), power: "missing" };
  }
  const roles = rolesFor(state);
  const { order } = bootOrderOf(vm.next, roles);
  const disk = diskOf(vm.next, roles.systemDisk);
  const size =
    (disk?.path === undefined ? undefined : state.disks[disk.path]?.virtualBytes) ?? record?.seen?.diskSizeBytes;
  const nextMedia = driveOf(vm.next, roles.isoDrive)?.path;
  const liveDrive = vm.live && driveOf(vm.live, roles.isoDrive);
  const media = vm.live ? (liveDrive?.tray === "open" ? undefined : liveDrive?.path) : nextMedia;
  const boot = currentBootDevice(state);
  return {
    ...known,
    name: vm.name,
    power: vm.power,
    ...(vm.powerReason && { power_reason: vm.powerReason }),
    ...status,
    boot_order: order,
    boot_from_disk: order === "hd" || order === "hd_cdrom",
    ...(boot && { current_boot_device: boot.device, current_boot_certainty: boot.certainty }),
    ...(disk?.path !== undefined && { disk_path: disk.path }),
    ...(size !== undefined && { disk_size: gibOf(size) }),
    ...(media !== undefined && { current_media: media }),
    ...(nextMedia !== media && nextMedia !== undefined && { next_media: nextMedia }),
    firmware: vm.next.firmware,
    memory_mb: Math.round(vm.next.memoryBytes / 1024 ** 2),
    cpus: vm.next.cpus,
    accelerator: vm.accelerator,
    ...(vm.next.serialLog && { serial_log: vm.next.serialLog }),
    pending: vm.live ? pendingBetween(vm.live, vm.next) : [],
    findings: findingsOf(state).map(viewFinding),
  };
}

function remembered(record: State["record"]): Partial<VmView> {
  const { bootOrder, bootDevice, diskPath, diskSizeBytes, media } = record?.seen ?? {};
  return {
    ...(bootOrder && { boot_order: bootOrder, boot_from_disk: bootOrder === "hd" || bootOrder === "hd_cdrom" }),
    ...((bootDevice === "cdrom" || bootDevice === "hd") && { current_boot_device: bootDevice }),
    ...(diskPath !== undefined && { disk_path: diskPath }),
    ...(diskSizeBytes !== undefined && { disk_size: gibOf(diskSizeBytes) }),
    ...(media !== undefined && { current_media: media }),
  };
}

export const PredictionView = z.object({
  boot_order: BootOrder,
  boots: z.enum(["hd", "cdrom", "other", "none", "unknown"]),
  path: z.string().optional(),
  devices: z.array(
    z.object({ device: z.string(), verdict: z.enum(["boots", "cannot", "unknown"]), cause: z.string() }),
  ),
});
export const viewPrediction = ({ order, boots, candidates }: Prediction): z.input<typeof PredictionView> => ({
  boot_order: order,
  boots: boots.device,
  ...(boots.path !== undefined && { path: boots.path }),
  devices: candidates.map(({ device, verdict, cause }) => ({ device, verdict, cause })),
});
export const viewReport = (report: BootReport) => ({
  cold_start: viewPrediction(report.coldStart),
  guest_reboot: viewPrediction(report.guestReboot),
  findings: report.findings.map(viewFinding),
});
