// Goal: nothing is lost when many callers change the same VMs at once. Method: two servers and some runs of the command line
// on one database, each server with sixteen streams of random calls; then the history of every VM has to be a line, each
// operation starting from what the one before it left, and its end has to be what libvirt and the record have. Cannot see:
// programs that are not Bootwright, which test/plugins/libvirt/foreign.real.test.ts is about.
// @module-tag long

import fc from "fast-check";
import { afterEach, describe, expect, inject, test } from "vitest";
import { parseDomain } from "../../plugins/libvirt/domain-xml.ts";
import { bootOrderOf } from "../../src/domain/model/boot-order.ts";
import type { State } from "../../src/domain/model/state.ts";
import { driveOf } from "../../src/domain/model/vm.ts";
import { type BootwrightClient, type Refusal, Refused } from "../support/client.ts";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, type Testbed, type ToolName } from "../support/vm.ts";
import { callOnce, chronicleOf, openBeside, type Recorded } from "./races-testbed.ts";

const STREAMS = 16;
/** The second server waits this long for a VM, so that some of its calls are refused. */
const SHORT_WAIT_S = 0.5;
const LONG_WAIT_S = 10;
/** The codes that these calls may be refused with. No other program edits the VMs, so VM_CHANGED_MEANWHILE is not among them. */
const refusals = ["VM_BUSY", "INSTALLATION_TRANSITION_ILLEGAL", "BLOCKED_BY_FINDINGS", "UNDO_IMPOSSIBLE"];

let close: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of close.reverse()) await end();
  close = [];
});

type Wish = Readonly<{ tool: ToolName; args: Record<string, unknown>; vm: number }>;
const wishes = (isos: readonly string[], vms: number): fc.Arbitrary<Wish> =>
  fc
    .record({
      vm: fc.nat({ max: vms - 1 }),
      call: fc.oneof(
        {
          weight: 4,
          arbitrary: fc
            .constantFrom("hd", "cdrom_hd", "hd_cdrom", "cdrom")
            .map((order) => ["set_boot_order", { boot_order: order }] as const),
        },
        {
          weight: 3,
          arbitrary: fc.constantFrom(...isos).map((iso) => ["attach_iso", { iso_path: iso }] as const),
        },
        { weight: 2, arbitrary: fc.constant(["detach_iso", {}] as const) },
        { weight: 2, arbitrary: fc.constant(["undo_operation", {}] as const) },
        {
          weight: 2,
          arbitrary: fc
            .record({ boot_order: fc.constantFrom("hd", "cdrom_hd"), detach_iso: fc.boolean() })
            .map((args) => ["complete_installation", args] as const),
        },
        { weight: 2, arbitrary: fc.constant(["begin_reinstallation", {}] as const) },
      ),
    })
    .map(({ vm, call: [tool, args] }) => ({ vm, tool, args }));

type Heard = Readonly<{ where: string; tool: string; ms: number; operation?: string; refusal?: Refusal }>;

async function race(
  runtimes: readonly ["node" | "deno", "node" | "deno"],
  vmCount: number,
  calls: number,
  lines: number,
) {
  const { isos } = inject("guests");
  const [first, second] = [isos.bios, isos.both];
  const testbed = await openTestbed({ isos: [first, second] });
  close.push(() => testbed.close());
  const vms = await inBatches(vmCount, 8, (index) => testbed.create(`race-${index}`, { boot_order: "hd" }));
  const chronicle = chronicleOf(testbed.directory);
  close.push(async () => chronicle.close());
  const waits = [LONG_WAIT_S, SHORT_WAIT_S];
  const servers = await Promise.all(
    runtimes.map((runtime, index) => openBeside(testbed, runtime, ["--claim-wait", String(waits[index])])),
  );
  close.push(async () => void (await Promise.all(servers.map((server) => server.close()))));

  const seed = Number(process.env.BOOTWRIGHT_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed: BOOTWRIGHT_SEED=${seed}`);
  const library = [first, second].map((path) => testbed.iso(path));
  const asked = fc.sample(wishes(library, vmCount), { seed, numRuns: calls + lines });
  const known = vms.map((): string[] => []);
  const heard: Heard[] = [];
  const make = async (where: string, { tool, args, vm }: Wish, call: Calling) => {
    // What is undone is one of the newest, so that it has a chance to be as it was left.
    const subject =
      tool === "undo_operation"
        ? { operation: known[vm]!.at(-1 - (heard.length % 3)) ?? known[vm]![0] }
        : { vm: vms[vm]!.uuid, ...args };
    if (tool === "undo_operation" && subject.operation === undefined) return;
    const from = performance.now();
    const { operation, refusal } = await call(tool, subject);
    heard.push({
      where,
      tool,
      ms: Math.round(performance.now() - from),
      ...(operation !== undefined && { operation }),
      ...(refusal && { refusal }),
    });
    if (operation !== undefined) known[vm]!.push(operation);
  };
  const from = performance.now();
  const left = asked.slice(0, calls);
  const stream = async (where: string, call: Calling) => {
    for (let wish = left.pop(); wish; wish = left.pop()) await make(where, wish, call);
  };
  const alone = asked.slice(calls);
  const shell = async () => {
    for (let wish = alone.pop(); wish; wish = alone.pop()) await make("call", wish, onCommandLine(testbed));
  };
  await Promise.all([
    ...servers.flatMap((server, index) =>
      Array.from({ length: STREAMS }, () => stream(`server ${index + 1}`, over(server))),
    ),
    ...(lines > 0 ? [shell(), shell()] : []),
  ]);
  const seconds = (performance.now() - from) / 1000;
  return { testbed, vms, chronicle, servers, heard, seconds };
}

type Answered = Readonly<{ operation?: string | undefined; refusal?: Refusal }>;
type Calling = (tool: ToolName, args: Record<string, unknown>) => Promise<Answered>;

/** Takes an answer or a coded refusal; anything else fails the test. */
const over =
  ({ call }: BootwrightClient): Calling =>
  async (tool, args) => {
    try {
      const { operation } = (await call(tool, args, { timeoutMs: 90_000 })) as { operation?: string };
      return { operation };
    } catch (error) {
      if (error instanceof Refused) return { refusal: error.refusal };
      throw error;
    }
  };
const onCommandLine =
  (testbed: Testbed): Calling =>
  async (tool, args) => {
    const { answer, error } = await callOnce(testbed, tool, args);
    return error ? { refusal: error as Refusal } : { operation: (answer as { operation?: string }).operation };
  };

async function inBatches<T>(count: number, atOnce: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let at = 0; at < count; at += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - at) }, (_, index) => work(at + index));
    made.push(...(await Promise.all(some)));
  }
  return made;
}

/** Returns the parts of a VM that operations change, and what the record says of each. */
const factsOf = ({ vm, record }: State) => ({
  order: vm && bootOrderOf(vm.next, record!.roles).order,
  entries: vm?.next.boot.entries,
  medium: vm && driveOf(vm.next, record!.roles.isoDrive)?.path,
  claim: vm?.claim,
  status: record?.status,
  revision: record?.revision,
  requestedOrder: record?.requestedOrder,
});
const transitions = (operation: Recorded) =>
  operation.steps.filter(({ change }) => change.kind === "installation.set").length;

describe.each([
  { vms: 1, runtimes: ["node", "deno"], calls: scaled(1_500, 120), lines: scaled(40, 3) },
  { vms: scaled(50, 20), runtimes: ["node", "node"], calls: scaled(2_500, 140), lines: scaled(40, 3) },
] as const)(
  "sixteen callers on each of two servers ($runtimes) on $vms VMs",
  ({ vms: vmCount, runtimes, calls, lines }) => {
    test("lose no update: each VM's history is a line that ends at what libvirt and the record have", async () => {
      const { testbed, vms, chronicle, servers, heard, seconds } = await race(runtimes, vmCount, calls, lines);
      const name = `races on ${vmCount} VM${vmCount > 1 ? "s" : ""} (${runtimes.join(" and ")})`;

      const busy = heard.flatMap(({ refusal, where }) => (refusal?.code === "VM_BUSY" ? [{ where, refusal }] : []));
      for (const { where, refusal } of heard) {
        if (refusal) expect(refusals, `${where}: ${refusal.message}`).toContain(refusal.code);
      }
      for (const { where, refusal } of busy) {
        expect(refusal.details).toEqual({
          vm: expect.any(String),
          holder: expect.stringMatching(/^(mcp:bootwright-test 1|cli|another operation)$/),
          what: expect.any(String),
          since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          waitedMs: expect.any(Number),
        });
        const waitMs = (where === "server 2" ? SHORT_WAIT_S : LONG_WAIT_S) * 1000;
        // A timer may fire a moment before its time.
        expect(refusal.details.waitedMs).toBeGreaterThan(waitMs - 20);
      }

      const operations = chronicle.operations();
      const changed = heard.flatMap(({ operation }) => operation ?? []);
      const raced = operations.filter(({ what }) => what !== "create_vm");
      // Whatever was answered as done is on record as done, and nothing else is.
      expect(
        raced
          .filter(({ status }) => status === "applied")
          .map(({ id }) => id)
          .sort(),
      ).toEqual(changed.sort());
      expect(new Set(changed).size).toBe(changed.length);
      expect(raced.filter(({ status }) => status !== "applied")).toEqual([]);
      expect([chronicle.claims(), chronicle.begun()]).toEqual([0, 0]);

      for (const { uuid, name: vmName } of vms) {
        const line = operations.filter((operation) => operation.uuid === uuid);
        let last: State = line[0]!.after;
        let wrote = line[0]!.steps.findLast((step) => step.wrote !== undefined)?.wrote;
        for (const operation of line.slice(1)) {
          const { before, after } = operation;
          expect(factsOf(before), `${operation.what} ${operation.id}`).toEqual(factsOf(last));
          expect(before.vm?.fingerprint, `${operation.what} ${operation.id}`).toBe(wrote);
          expect(after.record!.revision).toBe(before.record!.revision + transitions(operation));
          last = after;
          wrote = operation.steps.findLast((step) => step.wrote !== undefined)?.wrote;
        }
        const { definition, claim } = parseDomain(`${await testbed.virsh("dumpxml", "--inactive", vmName)}\n`);
        const row = chronicle.version(uuid);
        const facts = factsOf(last);
        expect(factsOf({ ...last, vm: { ...last.vm!, next: definition, ...(claim && { claim }) } })).toEqual(facts);
        expect({
          status: row.installation_status,
          revision: row.revision,
          order: row.requested_order,
          seen: row.boot_order,
          medium: row.current_media ?? undefined,
          version: row.version,
        }).toEqual({
          status: facts.status,
          revision: facts.revision,
          order: facts.requestedOrder,
          seen: facts.order,
          medium: facts.medium,
          version: line.length,
        });
        const shown = await servers[0]!.call("get_vm", { vm: uuid });
        expect([shown.boot_order, shown.current_media, shown.installation_status]).toEqual([
          facts.order,
          facts.medium,
          facts.status,
        ]);
      }

      const slowest = Math.max(...heard.map(({ ms }) => ms));
      const codes = Object.entries(Object.groupBy(heard, ({ refusal }) => refusal?.code ?? "done"));
      const share = (where: string) => heard.filter((one) => one.where === where);
      figure(`${name}: calls`, heard.length);
      figure(`${name}: operations in the ${vmCount > 1 ? "lines" : "line"} that nothing was lost from`, changed.length);
      figure(`${name}: answers`, codes.map(([code, some]) => `${code} ${some!.length}`).join(", "));
      for (const where of ["server 1", "server 2", "call"]) {
        const some = share(where);
        const refused = some.filter(({ refusal }) => refusal?.code === "VM_BUSY").length;
        figure(`${name}: ${where}`, `${some.length} calls, ${refused} of them VM_BUSY`);
      }
      const waited = Math.max(0, ...busy.map(({ refusal }) => Number(refusal.details.waitedMs)));
      figure(`${name}: longest wait for a VM that was refused`, `${waited} ms`);
      figure(`${name}: slowest answer`, `${slowest} ms`);
      figure(`${name}: calls per second`, Math.round(heard.length / seconds));
      // Each of the three parts of a call's wait is bounded: the claim, the operation itself, the look before.
      expect(slowest).toBeLessThan((LONG_WAIT_S + 50) * 1000);
    }, 1_800_000);
  },
);
