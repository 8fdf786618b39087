/** Predicts what boots, and finds what is remarkable about it. A pure function of what was observed. Its source is the
 * observed behaviour of SeaBIOS and OVMF (libvirt 9.0, QEMU 7.2): firmware tries the devices in order, an empty tray
 * or a blank disk falls through to the next, a guest's own reboot runs the list of the running definition again. */

import { type BootOrder, bootOrderOf, bootSequence } from "./boot-order.ts";
import { type Finding, finding, fixCall } from "./finding.ts";
import { imageFindings } from "./image-findings.ts";
import { pendingBetween } from "./pending.ts";
import { repairFindings } from "./repair-findings.ts";
import { rolesFor } from "./roles.ts";
import type { State } from "./state.ts";
import { suggestionFindings } from "./suggestion-findings.ts";
import { diskVerdict, mediaVerdict, type Verdict } from "./verdict.ts";
import { diskOf, driveOf, type Roles, type VmDefinition } from "./vm.ts";

export type Candidate = Readonly<{ device: string; role: "hd" | "cdrom" | "other" } & Verdict>;

/** `unknown` when a device whose bootability is unknown comes before any that boots. */
export type BootDevice = "hd" | "cdrom" | "other" | "none" | "unknown";
export type Prediction = Readonly<{
  order: BootOrder;
  candidates: readonly Candidate[];
  boots: Readonly<{ device: BootDevice; path?: string }>;
}>;
export type BootReport = Readonly<{ coldStart: Prediction; guestReboot: Prediction; findings: readonly Finding[] }>;

/** What a definition would boot, device by device. */
export function predict(state: State, definition: VmDefinition, roles: Roles): Prediction {
  const { order } = bootOrderOf(definition, roles);
  const sequence = bootSequence(definition);
  const firstDisk = sequence.find(isDisk);
  const candidates = sequence.map((device): Candidate => {
    if (isDisk(device)) {
      const disk = diskOf(definition, device.slice("disk:".length));
      const fact = disk?.path === undefined ? undefined : state.disks[disk.path];
      const role = disk === undefined || disk.target === roles.systemDisk ? "hd" : "other";
      // SeaBIOS maps the disks of the order as drives 0x80, 0x81, … and boots drive 0x80 alone (boot.c, do_boot()).
      const verdict =
        definition.firmware === "bios" && device !== firstDisk
          ? behindFirstDisk
          : diskVerdict(disk, fact, definition.firmware);
      return { device, role, ...verdict };
    }
    if (device.startsWith("cdrom:") || device === "class:cdrom") {
      const drive = driveOf(definition, device.slice("cdrom:".length));
      const fact = drive?.path === undefined ? undefined : state.isos[drive.path];
      const role = drive === undefined || drive.target === roles.isoDrive ? "cdrom" : "other";
      return { device, role, ...mediaVerdict(drive, fact, definition.firmware) };
    }
    return { device, role: "other", verdict: "unknown", cause: "it is unknown whether this device boots" };
  });
  const first = candidates.find(({ verdict }) => verdict !== "cannot");
  const device = first === undefined ? "none" : first.verdict === "unknown" ? "unknown" : first.role;
  const path = first && pathOf(definition, first.device);
  return {
    order,
    candidates,
    boots: definition.directKernel ? { device: "other" } : { device, ...(path && { path }) },
  };
}

const isDisk = (device: string): boolean => device.startsWith("disk:") || device === "class:hd";

const behindFirstDisk: Verdict = {
  verdict: "cannot",
  cause: "under BIOS only the first hard disk of the boot order boots, and another one comes before",
};

const pathOf = (definition: VmDefinition, device: string) =>
  diskOf(definition, device.slice("disk:".length))?.path ?? driveOf(definition, device.slice("cdrom:".length))?.path;

/** All findings about a VM, or about the record of a VM that is gone. */
export const findingsOf = (state: State): readonly Finding[] =>
  state.vm ? bootReport(state).findings : repairFindings(state);

/** The report on a VM. @throws TypeError when the state has no VM */
export function bootReport(state: State): BootReport {
  const { vm } = state;
  if (!vm) throw new TypeError("Cannot report on the boot of a VM that does not exist");
  const roles = rolesFor(state);
  const coldStart = predict(state, vm.next, roles);
  const guestReboot = predict(state, vm.live ?? vm.next, roles);
  return {
    coldStart,
    guestReboot,
    findings: [
      ...bootFindings(state, roles, coldStart, guestReboot),
      ...imageFindings(state, roles),
      ...stateFindings(state, roles, coldStart),
      ...suggestionFindings(state),
      ...repairFindings(state),
    ],
  };
}

const fixesOf = (state: State) => ({
  boot: (boot_order: string) => fixCall("set_boot_order", state, { boot_order }),
  detach: fixCall("detach_iso", state),
  attach: fixCall("attach_iso", state, { iso_path: "<an ISO from list_isos>" }),
  restart: fixCall("restart_vm", state),
});

function bootFindings(state: State, roles: Roles, cold: Prediction, reboot: Prediction): Finding[] {
  const vm = state.vm!;
  const fix = fixesOf(state);
  const drive = driveOf(vm.next, roles.isoDrive);
  const disk = diskOf(vm.next, roles.systemDisk);
  const diskFact = disk?.path === undefined ? undefined : state.disks[disk.path];
  const isoFact = drive?.path === undefined ? undefined : state.isos[drive.path];
  const found: Finding[] = [];
  const { order } = cold;
  if (vm.next.directKernel) {
    found.push(
      finding("DIRECT_KERNEL_BOOT", "the definition starts a kernel directly, so the boot order has no effect"),
    );
    return found;
  }
  const empty = drive === undefined || drive.path === undefined;
  if (order === "cdrom" && empty)
    found.push(finding("NO_MEDIA", "the order is cdrom and the tray is empty", [fix.attach, fix.boot("hd")]));
  if (order === "cdrom_hd" && empty && drive) {
    found.push(
      finding("MEDIA_FIRST_BUT_EMPTY", "the CD-ROM comes first and its tray is empty, so the disk is next", [
        fix.attach,
        fix.boot("hd"),
      ]),
    );
  }
  // Another device behind the disk, such as a network card, might still boot.
  if (order === "hd" && cold.boots.device === "none" && diskFact?.content === "blank") {
    found.push(finding("DISK_BLANK", "the order is hd and the disk holds no data", [fix.attach, fix.boot("cdrom_hd")]));
  }
  const explained = found.some(({ blocks }) => blocks.includes("start"));
  if (!explained && cold.boots.device === "none") {
    const causes =
      cold.candidates.map(({ device, cause }) => `${device}: ${cause}`).join("; ") || "the boot order is empty";
    found.push(finding("NOTHING_BOOTS", causes, [fix.attach, fix.boot("hd_cdrom")]));
  }
  const loops = [cold, ...(vm.power === "off" ? [] : [reboot])].filter(
    ({ candidates, boots }) => candidates[0]?.role === "cdrom" && boots.device === "cdrom",
  );
  if (loops.length && diskFact?.content === "data") {
    const when = loops.includes(cold) ? "the next start" : "the guest's next reboot";
    found.push(
      finding("INSTALLER_LOOP", `the disk holds data and ${when} boots the ISO again`, [fix.boot("hd"), fix.detach]),
    );
  }
  if (
    vm.next.firmware !== "bios" &&
    order === "cdrom" &&
    (state.record?.status === "Installed" || diskFact?.bootsUefi === true)
  ) {
    found.push(
      finding("UEFI_ENTRY_AT_RISK", "with cdrom alone the UEFI firmware drops the installed system's boot entry", [
        fix.boot("cdrom_hd"),
      ]),
    );
  }
  if (isoFact?.state === "ok" && drive?.path) {
    if (!isoFact.bootsBios && !isoFact.bootsUefi) {
      found.push(finding("ISO_NOT_BOOTABLE", `${drive.path} has no El Torito boot record`, [fix.detach]));
    } else if (!(vm.next.firmware === "bios" ? isoFact.bootsBios : isoFact.bootsUefi)) {
      found.push(
        finding(
          "ISO_WRONG_FIRMWARE",
          `${drive.path} boots ${isoFact.bootsBios ? "BIOS" : "UEFI"} only and the VM has ${vm.next.firmware}`,
          [fix.attach],
        ),
      );
    } else if (vm.next.firmware === "uefi_secure" && isoFact.signed !== true) {
      found.push(
        finding("SECURE_BOOT_MAY_REJECT", `it is unknown whether ${drive.path} is signed for Secure Boot`, [
          fix.attach,
        ]),
      );
    }
  }
  return found;
}

function stateFindings(state: State, roles: Roles, cold: Prediction): Finding[] {
  const vm = state.vm!;
  const fix = fixesOf(state);
  const found: Finding[] = [];
  if (vm.savedState && vm.power === "off") {
    found.push(
      finding("SAVED_STATE", "a start would resume a saved state, with the order and media of that time", [
        fixCall("start_vm", state, { discard_saved_state: true }),
      ]),
    );
  }
  const { others } = bootOrderOf(vm.next, roles);
  if ((cold.order === "hd" || cold.order === "cdrom") && others.length) {
    found.push(finding("NETWORK_FALLBACK", `after ${cold.order} the firmware also tries ${others.join(", ")}`));
  }
  if (vm.live) {
    const pending = pendingBetween(vm.live, vm.next);
    if (pending.length)
      found.push(finding("PENDING_RESTART", `the next cold start changes: ${pending.join(", ")}`, [fix.restart]));
  }
  const asked = state.record?.requestedOrder;
  if (asked && asked !== cold.order) {
    found.push(
      finding("BOOT_ORDER_DRIFT", `the requested order is ${asked}, and another program made it ${cold.order}`, [
        fix.boot(asked),
      ]),
    );
  }
  const liveDrive = vm.live && driveOf(vm.live, roles.isoDrive);
  const run = state.record?.currentRun;
  if (vm.run && run?.run === vm.run && run.device === "cdrom" && liveDrive?.path) {
    found.push(finding("RUNNING_FROM_MEDIA", `this run was booted from ${liveDrive.path}`, [fix.restart]));
  }
  return found;
}
