// Goal: whatever becomes of any one call to the daemon, the operation ends in bounded time with a coded answer that is
// true, nothing is left begun, and once the daemon answers again record, definition and disk agree and the VM takes the
// next operation. Method: a proxy loses the nth call of each operation in every way that a connection or a daemon can,
// before the daemon gets it, while it works on it and after it has answered; another eye than the program's looks
// afterwards. What it cannot see: a daemon that does a call a long time after it was given it (backend-outage-late.real.test.ts
// has one, and backend-outage-daemon one that is stopped and goes on).

import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Libvirt, openLibvirt } from "../../plugins/libvirt/client/libvirt.ts";
import { PROCEDURE } from "../../plugins/libvirt/client/procedure.ts";
import { canBeSystem, hasLibvirtd, type PrivateDaemon, startDaemon } from "../plugins/libvirt/client/private-daemon.ts";
import { Refused } from "../support/client.ts";
import { type Fault, type LibvirtProxy, openProxy } from "../support/libvirt-proxy.ts";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, type Testbed } from "../support/vm.ts";
import { disagreements } from "./backend-outage-agreement.ts";
import { nextOperation } from "./backend-outage-next.ts";
import { operations, type Ready } from "./backend-outage-operations.ts";

const { isos } = inject("guests");
const plugin = fileURLToPath(new URL("../support/short-call-limit-libvirt.ts", import.meta.url));

/** How long an operation may take that is given one daemon that does not answer: a few of the plugin's short call limits. */
const LIMIT_MS = 40_000;
const SAMPLES_IN_CI = 4;
const SEED = Number(process.env.BOOTWRIGHT_SEED ?? randomInt(2 ** 31));

/** Within this the server has noticed that its connection was cut; it does not show outside. */
const NOTICED_MS = 50;
const SETTLED_MS = 30_000;

const whens = ["before", "during", "after"] as const;
const hows = ["drop", "away", "swallow", "hang", "error", "garbage", "malformed"] as const;
const faults: readonly Fault[] = whens.flatMap((when) =>
  // No daemon says that a call has failed while it is still at it.
  hows.filter((how) => when !== "during" || how !== "error").map((how) => ({ when, how })),
);
const procedureNames = new Map<number, string>(Object.entries(PROCEDURE).map(([name, number]) => [number, name]));

const isRead = (procedure: string) => /LOOKUP|GET|IS_|HAS_|LIST|STATS|OPEN/.test(procedure);

type Case = Readonly<{ what: string; nth: number; fault: Fault }>;

describe.skipIf(!hasLibvirtd || !canBeSystem)("a daemon that loses a call", () => {
  let daemon: PrivateDaemon;
  let proxy: LibvirtProxy;
  let libvirt: Libvirt;
  let testbed: Testbed;
  let sockets: string;
  /** The calls of the operation under way. */
  let calls: string[] = [];
  let armed: Readonly<{ nth: number; fault: Fault }> | undefined;
  let recording = false;
  const library = () => ({ one: testbed.iso(isos.both), other: testbed.iso(isos.bios) });

  beforeAll(async () => {
    daemon = await startDaemon({ system: true });
    sockets = await mkdtemp("/tmp/bw-");
    proxy = await openProxy(
      join(sockets, "s"),
      async ({ procedure }) => {
        if (!recording) return undefined;
        calls.push(procedureNames.get(procedure) ?? String(procedure));
        return armed?.nth === calls.length ? armed.fault : undefined;
      },
      daemon.socketPath,
    );
    const uri = (socket: string) => `${daemon.qemuUri}?socket=${socket}`;
    libvirt = openLibvirt({ uri: uri(daemon.socketPath) });
    testbed = await openTestbed({
      isos: [isos.both, isos.bios],
      uri: uri(daemon.socketPath),
      unwatched: true,
      settings: ["--connection", `local=${plugin},uri=${uri(join(sockets, "s"))}`],
    });
  });
  afterAll(async () => {
    await testbed?.close();
    await libvirt?.close();
    await proxy?.close();
    await daemon?.stop();
    await rm(sockets, { recursive: true, force: true });
  });

  let count = 0;
  const prepare = (what: string): Promise<Ready> => operations[what]!({ testbed, isos: library(), word: `${++count}` });

  /** Makes the call over a connection of its own, so that the calls that open it can be lost too. */
  async function perform(ready: Ready): Promise<{ answer?: Record<string, unknown>; refused?: Refused["refusal"] }> {
    proxy.cut();
    // A connection whose end the server has not noticed yet would be one more fault.
    await sleep(NOTICED_MS);
    [calls, recording] = [[], true];
    try {
      return { answer: (await ready.call()) as Record<string, unknown> };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { refused: error.refusal };
    } finally {
      recording = false;
      armed = undefined;
    }
  }

  /** Returns the UUID of the operation's VM; undefined where nothing had begun. */
  async function vmOf({ answer, refused }: Awaited<ReturnType<typeof perform>>): Promise<string | undefined> {
    if (answer) return answer.uuid as string;
    const { outcome, details } = refused ?? {};
    const operation = (outcome?.operation ?? details?.operation) as string | undefined;
    return operation === undefined ? undefined : (await testbed.call("get_operation", { operation })).vm;
  }

  const outcomes = new Map<string, number>();
  let slowestMs = 0;
  const wrong: string[] = [];

  async function lose({ what, nth, fault }: Case): Promise<void> {
    const ready = await prepare(what);
    armed = { nth, fault };
    const began = performance.now();
    const ended = await perform(ready);
    const { refused } = ended;
    const tookMs = performance.now() - began;
    slowestMs = Math.max(slowestMs, tookMs);
    const lost = calls[nth - 1] ?? "(none)";
    proxy.cut();
    await sleep(NOTICED_MS);
    const outcome = refused ? (refused.outcome?.status ?? refused.code) : "applied";
    outcomes.set(String(outcome), (outcomes.get(String(outcome)) ?? 0) + 1);
    const problems: string[] = [];
    if (tookMs > LIMIT_MS) problems.push(`took ${Math.round(tookMs)} ms`);
    if (refused && refused.code === undefined) problems.push("was a defect");
    const uuid = ready.uuid ?? (await vmOf(ended));
    if (uuid !== undefined) problems.push(...(await settles(uuid)));
    if (process.env.BOOTWRIGHT_TRACE)
      console.log(what, nth, lost, fault.when, fault.how, Math.round(tookMs), outcome, ...problems);
    if (problems.length)
      wrong.push(
        `${what}, call ${nth} (${lost}) ${fault.when} ${fault.how}, answered ${refused?.code ?? "applied"} ${outcome} (${refused?.message ?? ""}): ${problems.join("; ")}`,
      );
  }

  /** Has the VM take another operation. Returns a sentence for each thing that disagrees then. */
  async function settles(uuid: string): Promise<string[]> {
    const problems = await nextOperation(testbed, uuid);
    // A creation that nobody knew the outcome of leaves no VM to call by its UUID: it is settled in the background.
    const open = async () => (await testbed.call("list_operations", { status: ["begun", "unknown"] })).operations;
    await expect.poll(open, { timeout: SETTLED_MS }).toEqual([]);
    problems.push(...(await disagreements(libvirt, testbed.directory, uuid)));
    await testbed.call("delete_vm", { vm: uuid, force: true }).catch(async () => {
      await testbed.virsh("destroy", uuid).catch(() => {});
      await testbed.virsh("undefine", uuid, "--nvram").catch(() => {});
    });
    return problems;
  }

  test(
    "leaves every operation as its answer says, whichever call is lost in whichever way",
    async () => {
      console.log(`seed ${SEED}: BOOTWRIGHT_SEED=${SEED} makes the same choice of calls`);
      const chosen = process.env.BOOTWRIGHT_ONLY;
      const names = Object.keys(operations).filter((what) => chosen === undefined || new RegExp(chosen).test(what));
      const counts = new Map<string, readonly string[]>();
      const callsOf = async (what: string): Promise<readonly string[]> => {
        const known = counts.get(what);
        if (known !== undefined) return known;
        const ready = await prepare(what);
        const ended = await perform(ready);
        const { refused } = ended;
        if (refused) throw new Error(`${what} without any fault: ${refused.code}: ${refused.message}`);
        const made = calls;
        counts.set(what, made);
        const uuid = ready.uuid ?? (await vmOf(ended));
        expect([what, await settles(uuid!)]).toEqual([what, []]);
        return made;
      };
      const picks = fc.sample(fc.noBias(fc.tuple(fc.nat(), fc.nat(), fc.nat())), { numRuns: 20_000, seed: SEED });
      const pick = <T>(all: readonly T[], at: number): T => all[at % all.length]!;
      const cases: Case[] = [];
      if (scaled(1, 0) === 1) {
        for (const what of names) {
          for (const [index, procedure] of (await callsOf(what)).entries()) {
            // A call that only reads is lost in one way each time, since its answer is all that it is for.
            const ways = isRead(procedure) ? [pick(faults, picks.pop()![0])] : faults;
            cases.push(...ways.map((fault) => ({ what, nth: index + 1, fault })));
          }
        }
      } else {
        for (const [one, place, way] of picks.slice(0, SAMPLES_IN_CI)) {
          const what = pick(names, one);
          const made = await callsOf(what);
          // Half of them write, of which there are few.
          const nth =
            pick(
              [...made.keys()].filter((at) => place % 2 === 0 || !isRead(made[at]!)),
              place >> 1,
            ) + 1;
          cases.push({ what, nth, fault: pick(faults, way) });
        }
      }
      for (const one of cases) await lose(one);
      figure("backend outage: operations whose calls were lost", counts.size);
      figure("backend outage: calls swept", [...counts.values()].flat().length);
      figure("backend outage: calls lost", cases.length);
      for (const [outcome, times] of [...outcomes].sort()) figure(`backend outage: ended ${outcome}`, times);
      figure("backend outage: slowest answer, ms", Math.round(slowestMs));
      expect(wrong).toEqual([]);
    },
    scaled(4 * 3600_000, 600_000),
  );
});
