/** What the tools promise, in a few lines: a VM is its status, the order that was asked for, the order and the medium
 * that the next start takes, the medium in the running VM, and the size of its disk. A call is refused with a code, or
 * is a list of steps on that. */
import type { PresetOrder } from "../../src/domain/model/boot-order.ts";

export type Order = PresetOrder;
export type Status = "NotInstalled" | "Installing" | "Installed" | "InstallationFailed";
export type ModelVm = {
  /** Absent where the VM is not managed. */
  status?: Status;
  asked?: Order;
  order: Order;
  medium?: string;
  /** The running VM, and whether this run was started to install; absent where the VM is off. */
  live?: { medium?: string; installs: boolean };
  sizeGb: number;
  /** Whether a system is on the disk. */
  written: boolean;
  /** Whether another program removed its definition. */
  gone: boolean;
  deleted: boolean;
  /** Whether Bootwright made its disk. */
  made: boolean;
};
export type Step =
  | { kind: "order"; to: Order; asked?: Order }
  | { kind: "media"; to?: string; live?: string }
  | { kind: "size"; to: number }
  | { kind: "status"; to: Status }
  | { kind: "start"; installs: boolean }
  | { kind: "stop" | "delete" | "adopt" };
/** A step that was made, and the VM before it. */
export type Made = { step: Step; was: ModelVm };
export type Applied = { id: string; name: string; vm: ModelVm; made: Made[] };
export type Model = { vms: Map<string, ModelVm>; log: Applied[]; bootable: string };

export type Args = Readonly<Record<string, unknown>>;
export type Prediction = { made: Made[]; after: ModelVm; loses: boolean };

export class Refusal extends Error {}
const refuse = (code: string): never => {
  throw new Refusal(code);
};

/** Returns the device that the BIOS boots; undefined where it finds nothing to boot. */
export function bootsFrom({ order, medium, written }: ModelVm, bootable: string): "cdrom" | "hd" | undefined {
  const devices = order.split("_") as ("cdrom" | "hd")[];
  return devices.find((device) => (device === "cdrom" ? medium === bootable : written));
}

/** Returns the VM with one step made, or unchanged where it is so already. */
export function stepped(vm: ModelVm, step: Step): ModelVm {
  switch (step.kind) {
    case "order":
      return { ...vm, order: step.to, ...(step.asked && { asked: step.asked }) };
    case "media": {
      const { medium: _old, live, ...rest } = vm;
      const inside = live && {
        live: { installs: live.installs, ...(step.live !== undefined && { medium: step.live }) },
      };
      return { ...rest, ...(step.to !== undefined && { medium: step.to }), ...inside };
    }
    case "size":
      return { ...vm, sizeGb: step.to };
    case "status":
      return { ...vm, status: step.to };
    case "start":
      return { ...vm, live: { installs: step.installs, ...(vm.medium !== undefined && { medium: vm.medium }) } };
    case "stop": {
      const { live: _over, ...rest } = vm;
      return rest;
    }
    case "delete":
      return { ...vm, deleted: true };
    case "adopt":
      return { ...vm, status: "NotInstalled" };
  }
}

const attach = ({ live }: ModelVm, to: string | undefined): Step => ({
  kind: "media",
  ...(to !== undefined && { to, ...(live && { live: to }) }),
});

const moves: Record<string, { from: Status[]; to: Status }> = {
  complete_installation: { from: ["Installing", "NotInstalled", "InstallationFailed"], to: "Installed" },
  fail_installation: { from: ["Installing"], to: "InstallationFailed" },
  cancel_installation: { from: ["Installing"], to: "NotInstalled" },
  begin_reinstallation: { from: ["Installed"], to: "Installing" },
};

/** A start: what another program made of the order is put back first. A run that `mayInstall` does where the CD-ROM boots
 * and nothing is on the disk, or an installation is under way. */
function starting(vm: ModelVm, bootable: string, mayInstall = true, before: Step[] = []): Step[] {
  const drifted = vm.asked && vm.asked !== vm.order;
  const first: Step[] = [...before, ...(drifted ? [{ kind: "order", to: vm.asked!, asked: vm.asked! } as const] : [])];
  const boots = bootsFrom(first.reduce(stepped, vm), bootable) ?? refuse("BLOCKED_BY_FINDINGS");
  const begins = !vm.written && ["NotInstalled", "InstallationFailed"].includes(vm.status!);
  const installs = mayInstall && boots === "cdrom" && (begins || vm.status === "Installing");
  const begun: Step[] = installs && begins ? [{ kind: "status", to: "Installing" }] : [];
  return [...first, ...begun, { kind: "start", installs }];
}

/** Returns the VM off and on again, where it runs, with what the next start has. */
function restarting(vm: ModelVm, bootable: string): Step[] {
  if (!vm.live) return [];
  if (!bootsFrom(vm, bootable)) refuse("BLOCKED_BY_FINDINGS");
  return [{ kind: "stop" }, { kind: "start", installs: vm.live.installs && vm.status === "Installing" }];
}

/** Returns the steps that a call asks for. @throws Refusal */
function asked(tool: string, vm: ModelVm, args: Args, bootable: string): Step[] {
  const order = args.boot_order as Order | undefined;
  const iso = args.iso_path as string | undefined;
  const running = vm.live !== undefined;
  switch (tool) {
    case "set_boot_order": {
      const set: Step = { kind: "order", to: order!, asked: order! };
      return [set, ...(args.restart ? restarting(stepped(vm, set), bootable) : [])];
    }
    case "attach_iso":
    case "detach_iso":
      return [attach(vm, iso)];
    case "resize_disk":
      return (args.size_gb as number) < vm.sizeGb
        ? refuse("SHRINK_REFUSED")
        : [{ kind: "size", to: args.size_gb as number }];
    case "stop_vm":
      return running ? [{ kind: "stop" }] : [];
    case "delete_vm":
      if (running && !args.force) refuse("VM_MUST_BE_OFF");
      return [...(running ? [{ kind: "stop" } as const] : []), { kind: "delete" }];
    case "start_vm":
      if (running) return iso === undefined ? [] : refuse("VM_MUST_BE_OFF");
      return starting(vm, bootable, true, iso === undefined ? [] : [attach(vm, iso)]);
    case "restart_vm":
      if (!running) return starting(vm, bootable);
      return [{ kind: "stop" }, ...starting(stepped(vm, { kind: "stop" }), bootable, vm.live!.installs)];
    default: {
      const { from, to } = moves[tool]!;
      const extra: Step[] = [
        ...(order ? [{ kind: "order", to: order, asked: order } as const] : []),
        ...(args.detach_iso ? [attach(vm, undefined)] : []),
      ];
      if (tool === "complete_installation" && vm.status === to) return extra;
      return from.includes(vm.status!) ? [...extra, { kind: "status", to }] : refuse("INSTALLATION_TRANSITION_ILLEGAL");
    }
  }
}

/** Returns the steps that undo an operation. @throws Refusal where the VM is not as the operation left it */
function undoing({ made }: Applied, vm: ModelVm): Step[] {
  return [...made].reverse().map(({ step, was }): Step => {
    if (step.kind === "order") {
      if (vm.order !== step.to) refuse("UNDO_IMPOSSIBLE");
      return { kind: "order", to: was.order, ...(was.asked && { asked: was.asked }) };
    }
    if (step.kind !== "media") return refuse("UNDO_IMPOSSIBLE");
    // A run that began since took its medium from the next definition.
    if (vm.medium !== step.to || (vm.live && vm.live.medium !== step.to)) refuse("UNDO_IMPOSSIBLE");
    return attach(vm, was.medium);
  });
}

const same = (a: unknown, b: unknown) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, v]) => [k, sorted(v)]),
      )
    : value;

/** Returns what a call makes of a VM. @throws Refusal with the code */
export function predict(model: Model, tool: string, vm: ModelVm | undefined, args: Args, past?: Applied): Prediction {
  if (!vm || vm.deleted) return refuse("VM_NOT_FOUND");
  if (args.iso_path === "none.iso") refuse("ISO_NOT_FOUND");
  let steps: Step[];
  if (tool === "adopt_vm") {
    if (vm.gone) refuse("VM_GONE");
    steps = vm.status ? [] : [{ kind: "adopt" }];
  } else {
    if (!vm.status) refuse("VM_NOT_MANAGED");
    if (vm.gone && tool !== "delete_vm") refuse("VM_GONE");
    steps = past ? undoing(past, vm) : asked(tool, vm, args, model.bootable);
  }
  const made: Made[] = [];
  let after = structuredClone(vm);
  for (const step of steps) {
    const then = stepped(after, step);
    const always = step.kind === "start" || step.kind === "delete";
    if (!always && same(then, after)) continue;
    made.push({ step, was: after });
    after = then;
  }
  // A cold start from an empty tray is refused where the order is changed, too.
  const judged = made.some(({ step }) => step.kind === "order");
  const accepted = ((args.accept ?? []) as string[]).includes("NO_MEDIA");
  if (judged && after.order === "cdrom" && after.medium === undefined && !accepted) refuse("BLOCKED_BY_FINDINGS");
  const cut = made.some(({ step }) => step.kind === "stop") && args.force === true;
  const files = tool === "delete_vm" && vm.made && !args.keep_files;
  return { made, after, loses: cut || files || (tool === "delete_vm" && !vm.gone) };
}
