/** Random calls on tools, by several clients, and what other programs do meanwhile; after each, what the model says and
 * what the tools say are compared. */
import type fc from "fast-check";
import { expect } from "vitest";
import { type Args, type Model, type ModelVm, type Order, type Prediction, predict, Refusal } from "./model.ts";

/** The side that is compared with the model. */
export type Real = Readonly<{
  /** Calls a tool as one of the clients. Rejects with an error that has the code, and the token to confirm with. */
  call: (client: number, tool: string, args: Args) => Promise<Record<string, unknown>>;
  clients: number;
  /** Paths of an ISO that boots, and of one that does not. */
  isos: Readonly<{ boots: string; data: string }>;
  /** Returns the name that a VM has on this side. */
  named: (name: string) => string;
  outside: {
    define: (name: string) => Promise<void>;
    undefine: (name: string) => Promise<void>;
    setOrder: (name: string, order: Order) => Promise<void>;
    /** Writes a bootable system on the disk of a VM that is off; not everywhere. */
    write?: (name: string) => Promise<void>;
  };
  /** Further arguments of create_vm on this side. */
  making: Args;
  /** Whether a guest shuts down when it is asked to. */
  obeys: boolean;
}>;

export type Coded = Readonly<{ code: string; confirm?: string }>;

export const names = ["web", "db"] as const;

/** Returns whether a tool only looks; such calls serve to compare the sides. */
export const looks = (tool: string): boolean => /^(get|list)_/.test(tool);

/** Makes the one VM that both sides begin with, to be installed. */
export async function begin(real: Real): Promise<{ model: Model; real: Real }> {
  const args = { boot_order: "cdrom_hd", disk_size_gb: 1, iso_path: real.isos.boots };
  await real.call(0, "create_vm", { name: real.named("web"), ...args, ...real.making });
  const model: Model = { vms: new Map([["web", created(undefined, args).after]]), log: [], bootable: real.isos.boots };
  return { model, real };
}

export type Command = fc.AsyncCommand<Model, Real>;

export class Call implements Command {
  readonly tool: string;
  readonly vm: string;
  readonly args: Args;
  readonly client: number;
  readonly dry: boolean;
  readonly agrees: boolean;
  constructor(tool: string, vm: string, args: Args, how: Readonly<{ client: number; dry: boolean; agrees: boolean }>) {
    this.tool = tool;
    this.vm = vm;
    this.args = args;
    ({ client: this.client, dry: this.dry, agrees: this.agrees } = how);
  }
  /** A name that only the record still has may be given again, and then means the new VM. */
  check = ({ vms }: Readonly<Model>) => this.tool !== "create_vm" || !vms.get(this.vm)?.gone;
  toString = () =>
    `${this.tool}(${JSON.stringify({ vm: this.vm, ...this.args, ...(this.dry && { dry_run: true }) })})${this.agrees ? "!" : ""}`;

  async run(model: Model, real: Real) {
    const got = await this.ask(model, real);
    if (!got) return;
    this.agree(model, real, got);
    await compare(model, real, this.client);
  }

  /** Returns undefined where there is nothing to be undone yet. */
  async ask(model: Model, real: Real): Promise<Got | undefined> {
    const past = this.past(model);
    if (this.tool === "undo_operation" && !past) return undefined;
    return outcome(real, this.client, this.tool, this.argsFor(real, past?.id), this.agrees);
  }

  /** Makes the call on the model too, and compares the two answers. */
  agree(model: Model, real: Real, got: Got): void {
    const past = this.past(model);
    const wanted = this.wanted(model, real, past);
    expect(got.code ?? "done", `${this}`).toBe(wanted.code ?? "done");
    if (!wanted.prediction || !got.answer) return;
    const { made, after } = wanted.prediction;
    const change = changeOf(got.answer);
    expect(change, `${this}`).toMatchObject({ changed: this.tool === "create_vm" || made.length > 0 });
    if (!this.dry) this.apply(model, past?.name ?? this.vm, after, made, change.operation);
  }

  private past = (model: Model) =>
    this.tool === "undo_operation" ? model.log.at(-1 - (this.args.back as number)) : undefined;

  private argsFor(real: Real, operation: string | undefined): Args {
    const { back: _back, ...rest } = this.args;
    const iso = this.args.iso_path as keyof Real["isos"] | "none.iso" | undefined;
    const path = iso === undefined ? {} : { iso_path: iso === "none.iso" ? iso : real.isos[iso] };
    const target =
      operation !== undefined
        ? { operation }
        : this.tool === "create_vm"
          ? { name: real.named(this.vm), ...real.making }
          : { vm: real.named(this.vm) };
    return { ...rest, ...path, ...target, dry_run: this.dry };
  }

  private wanted(
    model: Model,
    real: Real,
    past: Model["log"][number] | undefined,
  ): { code?: string; prediction?: Prediction } {
    const vm = past ? past.vm : model.vms.get(this.vm);
    const args = this.argsFor(real, undefined);
    try {
      const prediction =
        this.tool === "create_vm"
          ? created(vm, args)
          : predict(model, this.tool, past ? current(model, past) : vm, args, past);
      if (prediction.loses && !this.dry && !this.agrees) return { code: "CONFIRMATION_REQUIRED" };
      return { prediction };
    } catch (error) {
      if (error instanceof Refusal) return { code: error.message };
      throw error;
    }
  }

  private apply(model: Model, name: string, after: ModelVm, made: Prediction["made"], id: string | undefined) {
    const vm = model.vms.get(name) ?? after;
    replace(vm, after);
    if (after.deleted) model.vms.delete(name);
    else model.vms.set(name, vm);
    if (id !== undefined && this.tool !== "create_vm") model.log.push({ id, name, vm, made });
  }
}

/** The VM of an operation keeps its identity, whatever becomes of its name. */
const current = (_model: Model, { vm }: Model["log"][number]) => vm;
const replace = (vm: ModelVm, after: ModelVm) => {
  const copy = structuredClone(after);
  for (const key of Object.keys(vm)) delete vm[key as keyof ModelVm];
  Object.assign(vm, copy);
};

function created(taken: ModelVm | undefined, args: Args): Prediction {
  if (args.iso_path === "none.iso") throw new Refusal("ISO_NOT_FOUND");
  if (taken) throw new Refusal("VM_EXISTS");
  const order = args.boot_order as Order;
  const medium = args.iso_path as string | undefined;
  const vm: ModelVm = {
    status: "NotInstalled",
    asked: order,
    order,
    ...(medium !== undefined && { medium }),
    sizeGb: args.disk_size_gb as number,
    written: false,
    gone: false,
    deleted: false,
    made: true,
  };
  return { made: [], after: vm, loses: false };
}

type Change = { changed: boolean; operation?: string };
export const changeOf = (answer: Record<string, unknown>): Change =>
  "adopted" in answer ? (answer.adopted as Change[])[0]! : (answer as Change);

export type Got = { answer?: Record<string, unknown> | undefined; code?: string | undefined };

async function outcome(real: Real, client: number, tool: string, args: Args, agrees: boolean): Promise<Got> {
  const attempt = async (more: Args = {}) =>
    real.call(client, tool, { ...args, ...more }).then(
      (answer) => ({ answer, code: undefined, confirm: undefined }),
      (error: Coded) => {
        if (typeof error.code !== "string") throw error;
        return { answer: undefined, code: error.code, confirm: error.confirm };
      },
    );
  const first = await attempt();
  return first.confirm !== undefined && agrees ? attempt({ confirm: first.confirm }) : first;
}

/** Compares what the tools say of each VM with the model. */
export async function compare(model: Model, real: Real, client: number): Promise<void> {
  const { vms } = (await real.call(client, "list_vms", {})) as { vms: { name: string }[] };
  const ours = vms.map(({ name }) => name).filter((name) => names.some((known) => real.named(known) === name));
  expect(ours.sort()).toEqual([...model.vms.keys()].map(real.named).sort());
  for (const [name, vm] of model.vms) {
    const seen = await real.call(client, "get_vm", { vm: real.named(name) });
    expect(seen, name).toMatchObject({
      managed: vm.status !== undefined,
      power: vm.gone ? "missing" : vm.live ? "running" : "off",
    });
    expect(seen.installation_status, name).toBe(vm.status);
    if (vm.gone) continue;
    const orders = await real.call(client, "get_boot_order", { vm: real.named(name) });
    const medium = vm.live ? vm.live.medium : vm.medium;
    const next = vm.medium === medium ? undefined : vm.medium;
    expect(
      {
        order: seen.boot_order,
        asked: orders.requested_boot_order,
        medium: seen.current_media,
        next: seen.next_media,
        size: seen.disk_size,
      },
      name,
    ).toEqual({ order: vm.order, asked: vm.asked, medium, next, size: vm.sizeGb });
  }
}

/** Does what another program does. */
export class Outside implements Command {
  readonly what: string;
  readonly vm: string;
  readonly order: Order;
  constructor(what: string, vm: string, order: Order) {
    this.what = what;
    this.vm = vm;
    this.order = order;
  }
  check({ vms }: Readonly<Model>) {
    const vm = vms.get(this.vm);
    if (this.what === "define") return vm === undefined;
    return vm !== undefined && !vm.gone && (this.what === "order" || !vm.live);
  }
  toString = () => `another program: ${this.what} ${this.vm} ${this.what === "order" ? this.order : ""}`;
  async run(model: Model, real: Real) {
    const vm = model.vms.get(this.vm);
    const name = real.named(this.vm);
    if (this.what === "define") {
      await real.outside.define(name);
      const foreign = { order: "hd", sizeGb: 1, written: false, gone: false, deleted: false, made: false } as const;
      model.vms.set(this.vm, { ...foreign });
    } else if (this.what === "undefine") {
      await real.outside.undefine(name);
      if (vm!.status) vm!.gone = true;
      else {
        vm!.deleted = true;
        model.vms.delete(this.vm);
      }
    } else if (this.what === "order") {
      await real.outside.setOrder(name, this.order);
      vm!.order = this.order;
    } else if (real.outside.write) {
      await real.outside.write(name);
      vm!.written = true;
    }
    await compare(model, real, 0);
  }
}
