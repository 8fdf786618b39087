// The requests that are made on a VM, and the state that each should leave it in.

import { join } from "node:path";
import type { Domain, Recorded, World } from "./agreement.ts";
import type { Ask } from "./kills-process.ts";

/** The state of a VM that is compared. */
export type VmView = Readonly<{
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

export type TestVm = Readonly<{ name: string; firmware: "bios" | "uefi"; foreign: boolean }>;

export const viewOf = (world: World, { name }: TestVm): VmView => {
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

/** `run: "new"` stands for any run but the one before. */
export type Wanted = Omit<VmView, "run"> & { readonly run?: number | "new" };

export type Request = Readonly<{ kind: string; ask: Ask; wanted: Wanted; confirmed: boolean }>;

const GIB = 1024 ** 3;
const orders = ["cdrom_hd", "hd", "hd_cdrom"];
/** Guests here boot from anything or nothing. */
const accept = ["NOTHING_BOOTS", "NO_MEDIA", "DISK_BLANK"];

export type Choices = Readonly<{ isos: readonly string[]; pick: <T>(from: readonly T[]) => T }>;

/** Returns every request that can be made on a VM as it is. `undoable` is the last operation, if it can be undone, and the
 * state before it. */
export function requestsFor(
  testVm: TestVm,
  view: VmView,
  undoable: Readonly<{ operation: string; before: VmView }> | undefined,
  { isos, pick }: Choices,
): Request[] {
  const vm = testVm.name;
  const on = view.run !== undefined;
  const { media: _media, liveMedia: _live, run: _run, ...rest } = view;
  const request = (kind: string, tool: Ask["tool"], args: object, wanted: Wanted, confirmed = false): Request => ({
    kind,
    ask: { vm, tool, args: { vm, accept, ...args } },
    wanted,
    confirmed,
  });
  if (!view.exists) {
    if (testVm.foreign) return [];
    const [iso, order] = [pick(isos), pick(orders)];
    const { name, firmware } = testVm;
    const small = { memory_mb: 64, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
    const args = { ...small, name, firmware, iso_path: iso, boot_order: order, accept };
    const made = { exists: true, managed: true, order, media: iso, bytes: GIB, status: "NotInstalled", revision: 1 };
    return [{ kind: "create_vm", ask: { vm, tool: "create_vm", args }, wanted: made, confirmed: false }];
  }
  if (!view.managed)
    return [request("adopt_vm", "adopt_vm", {}, { ...view, managed: true, status: "NotInstalled", revision: 1 })];
  const iso = pick(isos.filter((path) => path !== view.media));
  const order = pick(orders.filter((one) => one !== view.order));
  const revision = view.revision! + 1;
  const status = view.status!;
  const bytes = view.bytes! + GIB / 2;
  const started = {
    run: "new" as const,
    ...(view.media !== undefined && { media: view.media, liveMedia: view.media }),
  };
  const requests: (Request | false)[] = [
    request("delete_vm", "delete_vm", { force: true }, { exists: false, managed: false }, true),
    request("attach_iso", "attach_iso", { iso_path: iso }, { ...view, media: iso, ...(on && { liveMedia: iso }) }),
    view.media !== undefined &&
      request("detach_iso", "detach_iso", { force: true }, { ...rest, ...(on && { run: view.run! }) }),
    request("set_boot_order", "set_boot_order", { boot_order: order }, { ...view, order }),
    on &&
      request(
        "set_boot_order, restart",
        "set_boot_order",
        { boot_order: order, restart: true, force: true },
        { ...rest, ...started, order },
        true,
      ),
    status !== "Installed" &&
      request(
        "complete_installation",
        "complete_installation",
        { boot_order: order, detach_iso: true, force: true },
        { ...rest, ...(on && { run: view.run! }), order, status: "Installed", revision },
      ),
    status === "Installed" &&
      request("begin_reinstallation", "begin_reinstallation", {}, { ...view, status: "Installing", revision }),
    !on && request("resize_disk", "resize_disk", { size_gb: bytes / GIB }, { ...view, bytes }),
    !on && request("start_vm", "start_vm", { purpose: "normal" }, { ...rest, ...started }),
    !on &&
      status === "NotInstalled" &&
      request(
        "start_vm, install",
        "start_vm",
        { purpose: "install" },
        { ...rest, ...started, status: "Installing", revision },
      ),
    on && request("stop_vm", "stop_vm", { force: true }, { ...rest, ...(view.media && { media: view.media }) }, true),
    undoable !== undefined && {
      kind: "undo_operation",
      ask: { vm, tool: "undo_operation", args: { operation: undoable.operation, accept } },
      wanted: undoable.before,
      confirmed: false,
    },
  ];
  return requests.filter((one) => one !== false);
}

export const reversible = new Set(["attach_iso", "detach_iso", "set_boot_order"]);

/** Returns the state that should be there when the operation ended as its record says, or a sentence for a wrong end. */
export function wantedAfter(request: Request, before: VmView, operation: Recorded | undefined): Wanted | string {
  if (operation === undefined) return before;
  switch (operation.status) {
    case "rolled_back":
      return before;
    case "applied":
      return request.wanted;
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

/** Returns a sentence for each part that is not as it should be. */
export function differences(wanted: Wanted, before: VmView, now: VmView): string[] {
  const keys = ["exists", "managed", "order", "media", "liveMedia", "bytes", "run", "status", "revision"] as const;
  return keys.flatMap((key) => {
    if (key === "run" && wanted.run === "new") {
      return now.run !== undefined && now.run !== before.run ? [] : [`it should run anew, and its run is ${now.run}`];
    }
    return wanted[key] === now[key] ? [] : [`${key} should be ${wanted[key]} and is ${now[key]}`];
  });
}

/** The path of the disk of a VM that another program made, which is not ours to remove. */
export const foreignDisk = (images: string, { name }: TestVm): string => join(images, `${name}.qcow2`);
export const foreignXml = (images: string, testVm: TestVm, iso: string): string => `<domain type='qemu'>
  <name>${testVm.name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${foreignDisk(images, testVm)}'/>
      <target dev='vda' bus='virtio'/><boot order='2'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='${iso}'/>
      <target dev='sda' bus='sata'/><readonly/><boot order='1'/></disk>
    <video><model type='vga'/></video><graphics type='vnc'><listen type='none'/></graphics>
  </devices></domain>`;
