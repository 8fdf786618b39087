/** The commands that random sequences are made of: one call after the other, two that overlap, and what other programs do. */
import fc from "fast-check";
import { presetOrders } from "../../src/domain/model/boot-order.ts";
import type { Args, Model } from "./model.ts";
import { Call, type Command, changeOf, compare, type Got, Outside, type Real } from "./model-run.ts";

/** Two calls on one VM by two clients at the same time: what both are told and what is there afterwards is what the model
 * says of the one before the other. Of two that changed something the journal tells which one that was. */
class Together implements Command {
  readonly calls: readonly [Call, Call];
  constructor(...calls: readonly [Call, Call]) {
    this.calls = calls;
  }
  check = () => true;
  toString = () => `${this.calls.join(" while ")}`;

  async run(model: Model, real: Real) {
    const got = (await Promise.all(this.calls.map((call) => call.ask(model, real)))) as [Got, Got];
    const faults: unknown[] = [];
    for (const order of await ordersOf(real, got)) {
      const trial = structuredClone(model);
      try {
        for (const place of order) this.calls[place]!.agree(trial, real, got[place]!);
        await compare(trial, real, 0);
        Object.assign(model, trial);
        return;
      } catch (error) {
        faults.push(error);
      }
    }
    throw new Error(`no order of both fits: ${faults.join("\n")}`, { cause: faults });
  }
}

/** Returns the orders in which the calls may have been made. */
async function ordersOf(real: Real, got: readonly [Got, Got]): Promise<number[][]> {
  const both = [
    [0, 1],
    [1, 0],
  ];
  const operations = got.map(({ answer }) => answer && changeOf(answer).operation);
  if (operations.some((operation) => operation === undefined)) return both;
  const { events } = (await real.call(0, "list_events", { limit: 50 })) as { events: { id: string }[] };
  const [one, two] = operations.map((operation) => events.findIndex(({ id }) => id.startsWith(`${operation}:`)));
  // Newest first; what changed nothing that is told of has no event.
  return one! < 0 || two! < 0 ? both : [one! > two! ? [0, 1] : [1, 0]];
}

/** Makes sequences of every command, the likely ones more often. */
export function commandsOf(real: Pick<Real, "clients" | "obeys">, maxCommands: number) {
  const name = fc.constantFrom("web", "web", "web", "db");
  const order = fc.constantFrom(...presetOrders);
  const iso = fc.constantFrom("boots", "boots", "data", "none.iso");
  const how = fc.record({
    client: fc.nat(real.clients - 1),
    dry: fc.nat(5).map((n) => n === 0),
    agrees: fc.nat(3).map((n) => n > 0),
  });
  const flag = fc.boolean();
  const force = real.obeys ? flag : fc.constant(true);
  const given = (args: Record<string, fc.Arbitrary<unknown>>, optional: readonly string[]): fc.Arbitrary<Args> =>
    fc.record(args, { requiredKeys: Object.keys(args).filter((key) => !optional.includes(key)) });
  const call = (tool: string, args: Record<string, fc.Arbitrary<unknown>>, optional: readonly string[] = []) =>
    fc.tuple(name, given(args, optional), how).map(([vm, some, hows]): Command => new Call(tool, vm, some, hows));
  const some = <T>(arbitrary: fc.Arbitrary<T>, times: number) => Array.from({ length: times }, () => arbitrary);
  const create = { iso_path: iso, boot_order: order, disk_size_gb: fc.constantFrom(1, 2) };
  const accept = fc.constantFrom([], ["NO_MEDIA"]);
  type Overlapping = (vm: string, client: number) => Call;
  const overlapping = (tool: string, args: Record<string, fc.Arbitrary<unknown>>, optional: readonly string[] = []) =>
    given(args, optional).map((some): Overlapping => {
      return (vm, client) => new Call(tool, vm, some, { client, dry: false, agrees: false });
    });
  const either = fc.oneof(
    overlapping("set_boot_order", { boot_order: order }),
    overlapping("set_boot_order", { boot_order: order, restart: fc.constant(true) }),
    overlapping("attach_iso", { iso_path: iso }),
    overlapping("detach_iso", {}),
    overlapping("start_vm", { iso_path: iso }, ["iso_path"]),
    overlapping("restart_vm", { force }),
    overlapping("stop_vm", { force }),
    overlapping("resize_disk", { size_gb: fc.constantFrom(1, 2, 3) }),
    overlapping("complete_installation", { boot_order: order, detach_iso: flag }, ["boot_order"]),
    ...["fail_installation", "cancel_installation", "begin_reinstallation"].map((tool) => overlapping(tool, {})),
  );
  return fc.commands(
    [
      ...some(
        fc.tuple(name, either, either).map(([vm, one, two]): Command => new Together(one(vm, 0), two(vm, 1))),
        3,
      ),
      ...some(call("create_vm", create, ["iso_path"]), 3),
      ...some(call("set_boot_order", { boot_order: order, accept }), 2),
      // A guest that was started from nothing would not heed a shutdown.
      call("set_boot_order", { boot_order: order, restart: fc.constant(true), force }),
      call("restart_vm", { force }),
      ...some(call("attach_iso", { iso_path: iso }), 2),
      call("detach_iso", {}),
      ...some(call("start_vm", { iso_path: iso }, ["iso_path"]), 2),
      call("stop_vm", { force }),
      call("delete_vm", { force: flag, keep_files: flag }),
      call("resize_disk", { size_gb: fc.constantFrom(1, 2, 3) }),
      ...some(call("complete_installation", { boot_order: order, detach_iso: flag }, ["boot_order"]), 2),
      ...["fail_installation", "cancel_installation", "begin_reinstallation"].map((tool) => call(tool, {})),
      ...some(call("undo_operation", { back: fc.nat(3) }), 2),
      call("adopt_vm", {}),
      fc
        .tuple(fc.constantFrom("define", "undefine", "order", "write"), name, order)
        .map(([what, vm, to]): Command => new Outside(what, vm, to)),
    ],
    { maxCommands, size: "max" },
  );
}
