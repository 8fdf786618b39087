// What is asked of one VM after the other, and what should then be true of it.

import { join } from "node:path";
import type { Domain, Recorded, World } from "./agreement.ts";
import type { Ask } from "./kills-process.ts";

/** What is to be seen of a VM. */
export type Face = Readonly<{
  exists: boolean;
  managed: boolean;
  uuid?: string;
  order?: string;
  media?: string;
  liveMedia?: string;
  bytes?: number;
  run?: number;
  status?: string;
  revision?: number;
}>;

export type Lane = Readonly<{ name: string; firmware: "bios" | "uefi"; foreign: boolean }>;

export const faceOf = (world: World, { name }: Lane): Face => {
  const domain = world.domains.find((one) => one.name === name);
  const record = world.records.find((one) => one.name === name);
  return {
    exists: domain !== undefined,
    managed: record !== undefined,
    ...(domain && present(domain)),
    ...(record && { status: String(record.installation_status), revision: Number(record.revision) }),
  };
};

const present = ({ uuid, order, media, liveMedia, diskBytes, run }: Domain) => ({
  uuid,
  order,
  ...(media !== undefined && { media }),
  ...(liveMedia !== undefined && { liveMedia }),
  ...(diskBytes !== undefined && { bytes: diskBytes }),
  ...(run !== undefined && { run }),
});

/** `run: "new"`: any but the one before. */
export type Wanted = Omit<Face, "run"> & { readonly run?: number | "new" };

export type Deed = Readonly<{ kind: string; ask: Ask; wanted: Wanted; confirmed: boolean }>;

const GIB = 1024 ** 3;
const orders = ["cdrom_hd", "hd", "hd_cdrom"];
/** Guests here boot from anything or nothing. */
const accept = ["NOTHING_BOOTS", "NO_MEDIA", "DISK_BLANK"];

export type Choices = Readonly<{ isos: readonly string[]; pick: <T>(from: readonly T[]) => T }>;

/** Everything that can be asked of a VM as it is. `undoable` is the last operation, if it can be undone, and what was
 * before it. */
export function deedsFor(
  lane: Lane,
  face: Face,
  undoable: Readonly<{ operation: string; before: Face }> | undefined,
  { isos, pick }: Choices,
): Deed[] {
  const vm = lane.name;
  const on = face.run !== undefined;
  const { media: _media, liveMedia: _live, run: _run, ...rest } = face;
  const deed = (kind: string, tool: Ask["tool"], args: object, wanted: Wanted, confirmed = false): Deed => ({
    kind,
    ask: { vm, tool, args: { vm, accept, ...args } },
    wanted,
    confirmed,
  });
  if (!face.exists) {
    if (lane.foreign) return [];
    const [iso, order] = [pick(isos), pick(orders)];
    const { name, firmware } = lane;
    const small = { memory_mb: 64, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
    const args = { ...small, name, firmware, iso_path: iso, boot_order: order, accept };
    const made = { exists: true, managed: true, order, media: iso, bytes: GIB, status: "NotInstalled", revision: 1 };
    return [{ kind: "create_vm", ask: { vm, tool: "create_vm", args }, wanted: made, confirmed: false }];
  }
  if (!face.managed)
    return [deed("adopt_vm", "adopt_vm", {}, { ...face, managed: true, status: "NotInstalled", revision: 1 })];
  const iso = pick(isos.filter((path) => path !== face.media));
  const order = pick(orders.filter((one) => one !== face.order));
  const revision = face.revision! + 1;
  const status = face.status!;
  const bytes = face.bytes! + GIB / 2;
  const started = {
    run: "new" as const,
    ...(face.media !== undefined && { media: face.media, liveMedia: face.media }),
  };
  const deeds: (Deed | false)[] = [
    deed("delete_vm", "delete_vm", { force: true }, { exists: false, managed: false }, true),
    deed("attach_iso", "attach_iso", { iso_path: iso }, { ...face, media: iso, ...(on && { liveMedia: iso }) }),
    face.media !== undefined &&
      deed("detach_iso", "detach_iso", { force: true }, { ...rest, ...(on && { run: face.run! }) }),
    deed("set_boot_order", "set_boot_order", { boot_order: order }, { ...face, order }),
    on &&
      deed(
        "set_boot_order, restart",
        "set_boot_order",
        { boot_order: order, restart: true, force: true },
        { ...rest, ...started, order },
        true,
      ),
    status !== "Installed" &&
      deed(
        "complete_installation",
        "complete_installation",
        { boot_order: order, detach_iso: true, force: true },
        { ...rest, ...(on && { run: face.run! }), order, status: "Installed", revision },
      ),
    status === "Installed" &&
      deed("begin_reinstallation", "begin_reinstallation", {}, { ...face, status: "Installing", revision }),
    !on && deed("resize_disk", "resize_disk", { size_gb: bytes / GIB }, { ...face, bytes }),
    !on && deed("start_vm", "start_vm", { purpose: "normal" }, { ...rest, ...started }),
    !on &&
      status === "NotInstalled" &&
      deed(
        "start_vm, install",
        "start_vm",
        { purpose: "install" },
        { ...rest, ...started, status: "Installing", revision },
      ),
    on && deed("stop_vm", "stop_vm", { force: true }, { ...rest, ...(face.media && { media: face.media }) }, true),
    undoable !== undefined && {
      kind: "undo_operation",
      ask: { vm, tool: "undo_operation", args: { operation: undoable.operation, accept } },
      wanted: undoable.before,
      confirmed: false,
    },
  ];
  return deeds.filter((one) => one !== false);
}

export const reversible = new Set(["attach_iso", "detach_iso", "set_boot_order"]);

/** What should be there when the operation ended as its record says. */
export function wantedAfter(deed: Deed, before: Face, operation: Recorded | undefined): Wanted | string {
  if (operation === undefined) return before;
  switch (operation.status) {
    case "rolled_back":
      return before;
    case "applied":
      return deed.wanted;
    case "failed": {
      const kept = operation.steps.filter(({ status }) => status === "kept").map(({ change }) => change.kind);
      if (kept.join() !== "power.stop") return `it ended failed, and kept ${kept.join()}`;
      const { run: _run, liveMedia: _live, ...off } = before;
      return off;
    }
    default:
      return `it ended ${operation.status}`;
  }
}

/** What is not as it should be. */
export function differences(wanted: Wanted, before: Face, now: Face): string[] {
  const keys = ["exists", "managed", "order", "media", "liveMedia", "bytes", "run", "status", "revision"] as const;
  return keys.flatMap((key) => {
    if (key === "run" && wanted.run === "new") {
      return now.run !== undefined && now.run !== before.run ? [] : [`it should run anew, and its run is ${now.run}`];
    }
    return wanted[key] === now[key] ? [] : [`${key} should be ${wanted[key]} and is ${now[key]}`];
  });
}

/** A machine that another program made: numbers in its devices, and a disk that is not ours to remove. */
export const foreignDisk = (images: string, { name }: Lane): string => join(images, `${name}.qcow2`);
export const foreignXml = (images: string, lane: Lane, iso: string): string => `<domain type='qemu'>
  <name>${lane.name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${foreignDisk(images, lane)}'/>
      <target dev='vda' bus='virtio'/><boot order='2'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='${iso}'/>
      <target dev='sda' bus='sata'/><readonly/><boot order='1'/></disk>
    <video><model type='vga'/></video><graphics type='vnc'><listen type='none'/></graphics>
  </devices></domain>`;
