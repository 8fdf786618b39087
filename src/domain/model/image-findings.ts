/** Findings about a VM's images, with what would fix each. */
import { type Finding, finding, fixCall } from "./finding.ts";
import { type State, usersAt } from "./state.ts";
import { isMisdeclared } from "./verdict.ts";
import { type Disk, type Drive, driveOf, type Roles } from "./vm.ts";

const HOST_SPACE_LOW_BYTES = 1024 ** 3;

export function imageFindings(state: State, roles: Roles): Finding[] {
  const vm = state.vm!;
  const found: Finding[] = [];
  if (!driveOf(vm.next, roles.isoDrive)) {
    found.push(
      finding("NO_CDROM_DRIVE", "the VM has no CD-ROM drive", [
        fixCall("attach_iso", state, { iso_path: "<an ISO from list_isos>", accept: ["NO_CDROM_DRIVE"] }),
      ]),
    );
  }
  for (const each of vm.next.drives) found.push(...mediaFindings(state, each, each.target === roles.isoDrive));
  for (const disk of vm.next.disks) found.push(...diskFindings(state, disk));
  if (state.freeBytes !== undefined && state.freeBytes < HOST_SPACE_LOW_BYTES) {
    found.push(
      finding("HOST_SPACE_LOW", `the disk's file system has only ${Math.floor(state.freeBytes / 1024 ** 2)} MiB free`, [
        fixCall("get_disk_info", state),
      ]),
    );
  }
  return found;
}

/** A missing file in any drive, not only the ISO drive, keeps the VM from starting. */
function mediaFindings(state: State, { target, path }: Drive, isIsoDrive: boolean): Finding[] {
  const iso = path === undefined ? undefined : state.isos[path];
  if (path === undefined || !iso) return [];
  const drive = isIsoDrive ? {} : { drive: target };
  const detach = fixCall("detach_iso", state, drive);
  const attach = (iso_path: string) => fixCall("attach_iso", state, { iso_path, ...drive });
  const another = attach("<an ISO from list_isos>");
  if (iso.state === "missing") return [finding("ISO_MISSING", `${path} does not exist`, [detach, another])];
  if (iso.state === "unreadable") {
    return [
      finding(
        "ISO_UNREADABLE",
        `the hypervisor cannot read ${path}${iso.blockedAt ? `: ${iso.blockedAt} denies access` : ""}`,
        [detach, another],
      ),
    ];
  }
  if (iso.state !== "ok") {
    const what = { not_a_file: "not a file", empty: "empty", not_iso: "not an ISO 9660 image" }[iso.state];
    return [finding("ISO_UNREADABLE", `${path} is ${what}`, [detach, another])];
  }
  const found: Finding[] = [];
  if (iso.truncated) {
    const message = `${path} is shorter than its volume: its copy was cut off, or is not finished`;
    found.push(finding("ISO_TRUNCATED", message, [detach, another]));
  }
  const attached = isIsoDrive ? state.record?.isoIdentity : undefined;
  if (attached && iso.identity && attached !== iso.identity)
    found.push(finding("ISO_CHANGED", `${path} was replaced since it was attached`, [attach(path)]));
  return found;
}

/** A fault of any disk, not only the system disk, keeps the VM from running, and any disk can be ruined. */
function diskFindings(state: State, disk: Disk): Finding[] {
  const { target, path, readOnly, shareable } = disk;
  const fact = path === undefined ? undefined : state.disks[path];
  if (path === undefined || !fact) return [];
  const found: Finding[] = [];
  const look = [fixCall("get_disk_info", state, { disk: target })];
  const check = [fixCall("get_disk_info", state, { disk: target, check: true })];
  if (fact.state === "missing") found.push(finding("DISK_MISSING", `${path} does not exist`, look));
  if (fact.corrupt) found.push(finding("DISK_CORRUPT", `${path} has errors`, check));
  if (isMisdeclared(disk, fact)) {
    const message = `the definition declares ${path} as ${disk.format}, and its header says ${fact.format}; the hypervisor goes by the definition`;
    found.push(finding("DISK_FORMAT_MISMATCH", message, look));
  }
  if (fact.refused !== undefined) {
    found.push(finding("DISK_REFUSED", `${path} must not be opened: ${fact.refused}`, look));
  }
  if (fact.backingMissing) {
    const message = `the backing file of ${path}, ${fact.backingMissing}, does not exist`;
    found.push(finding("BACKING_MISSING", message, look));
  }
  const usage = usersAt(state, path);
  const stopping = (names: readonly string[]) =>
    names.map((name) => ({ tool: "stop_vm", arguments: { vm: inConnection(state, name) } }));
  if (usage?.inUseBy.length && !shareable && !readOnly) {
    const message = `${path} is in use by ${usage.inUseBy.join(", ")}`;
    found.push(finding("DISK_IN_USE", message, stopping(usage.inUseBy)));
  }
  if (usage?.clones.length && !readOnly) {
    const message = `the disks of ${usage.clones.join(", ")} have ${path} as a backing file; writing to it would ruin them`;
    found.push(finding("DISK_HAS_CLONES", message, look));
  }
  return found;
}

const inConnection = ({ target }: State, name: string) => `${target.connection}/${name}`;
