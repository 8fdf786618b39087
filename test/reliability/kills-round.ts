// One round: servers and commands die at their work on several VMs at once, another process settles what they left, and
// what each VM, its files and the database say then is compared.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";
import { type BootwrightClient, Refused } from "../support/client.ts";
import { disagreements, lookAtAll, type Recorded, staleStarts, type World } from "./agreement.ts";
import type { Chance } from "./kills-chance.ts";
import {
  type Deed,
  deedsFor,
  differences,
  type Face,
  faceOf,
  foreignDisk,
  type Lane,
  reversible,
  wantedAfter,
} from "./kills-lane.ts";
import {
  type Aim,
  type Death,
  dieCalling,
  dieServing,
  killProcess,
  openServer,
  openVictim,
  type Scene,
} from "./kills-process.ts";

export type Stage = Scene &
  Readonly<{
    lanes: readonly Lane[];
    isos: readonly string[];
    chance: Chance;
    /** Defines the machine of a foreign lane again, as another program would. */
    define: (lane: Lane) => Promise<void>;
    undoable: Map<string, { operation: string; before: Face }>;
    tally: Tally;
  }> & {
    /** What was true at the end of the last round. */
    seen?: World;
  };

export type Tally = {
  kills: number;
  recoveriesKilled: number;
  /** By how the operation that was killed ended; "before it began" and "after its end" beside them. */
  ended: Record<string, number>;
  deeds: Record<string, number>;
  unknownThenSettled: number;
  operations: number;
  disagreements: number;
};

/** How long an operation takes, and how many calls it makes: a first guess, then what was seen. */
type Course = { ms: number; calls: number; writes: number };
const courses = new Map<string, Course>();
const writesAtFirst: Readonly<Record<string, number>> = {
  delete_vm: 2,
  resize_disk: 0,
  complete_installation: 3,
  "start_vm, install": 2,
  "set_boot_order, restart": 3,
};
const courseOf = (kind: string): Course =>
  courses.get(kind) ?? { ms: 500, calls: 16, writes: writesAtFirst[kind] ?? 1 };

/** By time over the operation as long as it was seen to take, by its calls to libvirt, and by what it does to files. */
function aimAt({ chance }: Stage, kind: string): Aim {
  const { ms, calls, writes } = courseOf(kind);
  const lives = chance.of(0.4) ? 0 : chance.upTo(chance.of(0.5) ? 10 : 60);
  const way = chance.below(100) / 100;
  if (way < 0.25) return { at: "time", ms: chance.upTo(ms) };
  if (way < 0.45) return { at: "begun", ms: chance.upTo(0.6 * ms) };
  if (way < 0.6 || writes === 0) {
    const onFiles = writes === 0 || kind === "create_vm" || kind === "delete_vm";
    return onFiles ? { at: "file", nth: 1 + chance.below(4), ms: lives } : { at: "begun", ms: lives };
  }
  const moment = chance.of(0.3) ? "before" : "after";
  if (way < 0.67) return { at: "call", writes: false, nth: 1 + chance.below(calls), moment, ms: lives };
  return { at: "call", writes: true, nth: 1 + chance.below(writes), moment, ms: lives };
}

export async function playRound(stage: Stage): Promise<string[]> {
  const { tally, place, lanes } = stage;
  let ready = stage.seen ?? (await lookAtAll(place));
  const gone = lanes.filter(({ foreign, name }) => foreign && !ready.domains.some((one) => one.name === name));
  for (const lane of gone) await stage.define(lane);
  if (gone.length) ready = await lookAtAll(place);
  const casts = lanes.map((lane) => cast(stage, lane, faceOf(ready, lane)));
  const deaths = await Promise.all(casts.map((one) => die(stage, one)));
  tally.kills += casts.length;

  const left = unsettled(place.data);
  const said = await settle(stage, left, casts);
  const after = await lookAtAll(place);
  stage.seen = after;
  const wrong = [
    ...disagreements(after, place, {
      foreignFiles: lanes.filter(({ foreign }) => foreign).map((lane) => foreignDisk(place.images, lane)),
      living: said.living,
    }),
    ...staleStarts(place).map((name) => `${name} is still there`),
    ...said.wrong,
  ];
  const old = new Set(ready.operations.map(({ id }) => id));
  const fresh = after.operations.filter(({ id }) => !old.has(id));
  tally.operations += fresh.length;
  for (const [index, one] of casts.entries()) wrong.push(...judge(stage, one, deaths[index]!, fresh, after));
  return wrong;
}

type Cast = Readonly<{ lane: Lane; before: Face; deed: Deed; aim: Aim; surface: "server" | "command" }>;

/** What is asked of this VM: of all that can be, what was asked least. */
function cast(stage: Stage, lane: Lane, before: Face): Cast {
  const { chance, tally } = stage;
  const deeds = deedsFor(lane, before, stage.undoable.get(lane.name), { isos: stage.isos, pick: chance.pick });
  const count = ({ kind }: Deed) => tally.deeds[kind] ?? 0;
  const least = Math.min(...deeds.map(count));
  const deed = chance.pick(deeds.filter((one) => count(one) === least));
  tally.deeds[deed.kind] = least + 1;
  const surface = !deed.confirmed && chance.of(0.15) ? "command" : "server";
  const drawn = aimAt(stage, deed.kind);
  // A command's own start takes time too.
  const aim = surface === "command" && drawn.at === "time" ? { ...drawn, ms: drawn.ms + 500 } : drawn;
  return { lane, before, deed, aim, surface };
}

/** `open`: it died with the operation begun. */
type Died = Death & Readonly<{ open: boolean }>;

async function die(stage: Stage, { lane, before, deed, aim, surface }: Cast): Promise<Died> {
  const death = await (surface === "server" ? dieServing : dieCalling)(stage, deed.ask, aim);
  if (death.ms !== undefined && surface === "server") {
    const { ms } = courseOf(deed.kind);
    const known = courses.has(deed.kind);
    courses.set(deed.kind, { ms: known ? (ms + death.ms) / 2 : death.ms, calls: death.calls, writes: death.writes });
  }
  const open = unsettled(stage.place.data).some(({ uuid, steps }) => uuid === before.uuid || createsFor(lane, steps));
  return { ...death, open };
}

const describe = ({ lane, deed, aim, surface }: Cast) =>
  `${lane.name}, ${deed.kind} by a ${surface} that died at ${JSON.stringify(aim)}`;

function judge({ tally, undoable }: Stage, one: Cast, death: Died, fresh: readonly Recorded[], world: World): string[] {
  const { lane, before, deed } = one;
  const mine = fresh.filter(({ uuid, steps }) => uuid === before.uuid || createsFor(lane, steps));
  const now = faceOf(world, lane);
  const wrong: string[] = [];
  if (death.refused !== undefined) wrong.push(`it was refused: ${death.refused}`);
  if (mine.length > 1) wrong.push(`it left ${mine.length} operations`);
  const [operation] = mine;
  const wanted = wantedAfter(deed, before, operation);
  wrong.push(...(typeof wanted === "string" ? [wanted] : differences(wanted, before, now)));
  if (death.answer && operation?.status !== "applied") wrong.push(`it was answered, and ended ${operation?.status}`);
  const ending = operation === undefined ? "before it began" : death.open ? operation.status : "after its end";
  tally.ended[ending] = (tally.ended[ending] ?? 0) + 1;
  if (operation?.status === "applied") {
    if (reversible.has(deed.kind)) undoable.set(lane.name, { operation: operation.id, before });
    else undoable.delete(lane.name);
  }
  return wrong.map((what) => `${describe(one)} (${ending}): ${what}`);
}

const createsFor = ({ name }: Lane, steps: Recorded["steps"]) =>
  steps.some(({ change }) => change.kind === "vm.create" && (change.spec as { name: string }).name === name);

function rows(data: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(join(data, "bootwright.sqlite"), { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** Operations that are begun, or that nobody could tell the end of. */
const unsettled = (data: string, status = "status in ('begun', 'unknown')"): Recorded[] =>
  rows(data, `select * from operations where ${status}`).map(
    (row) => ({ ...row, steps: JSON.parse(String(row.steps)) }) as unknown as Recorded,
  );

const SETTLE_LIMIT_MS = 60_000;
const settledIn = async ({ place }: Stage) => {
  await expect
    .poll(() => unsettled(place.data).map(({ id }) => id), { timeout: SETTLE_LIMIT_MS, interval: 50 })
    .toEqual([]);
};

type Settled = Readonly<{ wrong: string[]; living: number }>;

/** Lets new processes settle what was left: one that is killed at it, one that libvirt is away for, and at last one that
 * is left in peace, at its own time or because the next operation on the VM comes first. */
async function settle(stage: Stage, left: readonly Recorded[], casts: readonly Cast[]): Promise<Settled> {
  const { chance, tally } = stage;
  const wrong: string[] = [];
  if (left.length > 0 && chance.of(0.25)) await recoverAndDie(stage, left);
  else if (left.length > 0 && chance.of(0.2)) wrong.push(...(await recoverBlind(stage)));
  const still = unsettled(stage.place.data);
  const server = await openServer(stage);
  try {
    const atOnce = chance.of(0.4);
    if (atOnce) await touchAll(stage, server);
    await settledIn(stage);
    if (!atOnce) {
      const linesOf = ({ id }: Recorded) =>
        server
          .stderr()
          .split("\n")
          .filter((line) => line.includes(`operation ${id} (`));
      await expect
        .poll(() => still.filter((one) => linesOf(one).length === 0).map(({ id }) => id), { timeout: 5_000 })
        .toEqual([]);
      const { operations } = await server.call("list_operations", { limit: 200 });
      for (const one of still) {
        const lines = linesOf(one);
        const told = operations.find(({ operation }) => operation === one.id)?.status;
        if (lines.length !== 1 || !lines[0]!.endsWith(`: ${told}`))
          wrong.push(`of ${one.id}, which is ${told}, stderr says ${JSON.stringify(lines)}`);
      }
    }
    tally.unknownThenSettled += still.filter(({ status }) => status === "unknown").length;
    // Every VM can be changed again, and a process that claims one sweeps up behind the dead.
    const touched = await touchAll(stage, server);
    return { wrong, living: touched > 0 ? 1 : 1 + casts.length };
  } finally {
    await server.close();
  }
}

const touchable = new Set(["SHRINK_REFUSED", "VM_GONE", "VM_NOT_FOUND", "VM_NOT_MANAGED", "DISK_NOT_GROWABLE"]);

/** Asks every VM on record for what is never done: the size that its disk had at first, or a smaller one. That settles what
 * was left on it, and proves that it can be asked. Returns how many there are. */
async function touchAll({ place }: Stage, { call }: BootwrightClient): Promise<number> {
  const vms = rows(place.data, "select uuid from vms").map(({ uuid }) => uuid);
  const touch = async (uuid: unknown) => {
    try {
      const { changed } = await call("resize_disk", { vm: uuid, size_gb: 1 });
      expect(changed).toBe(false);
    } catch (error) {
      if (!(error instanceof Refused) || !touchable.has(error.refusal.code)) throw error;
    }
  };
  await Promise.all(vms.map(touch));
  return vms.length;
}

async function recoverAndDie(stage: Stage, left: readonly Recorded[]): Promise<void> {
  const { chance, tally } = stage;
  const aim: Aim = chance.of(0.3)
    ? { at: "time", ms: 2000 + chance.upTo(400) }
    : {
        at: "call",
        writes: chance.of(0.5),
        nth: 1 + chance.below(chance.of(0.5) ? 3 : 20),
        moment: chance.of(0.3) ? "before" : "after",
        ms: chance.upTo(30),
      };
  const victim = await openVictim(stage, aim);
  victim.arm();
  const done = async () => {
    while (unsettled(stage.place.data).some(({ id }) => left.some((one) => one.id === id)))
      await new Promise((wake) => setTimeout(wake, 50));
  };
  let over = false;
  await Promise.race([victim.died, done(), new Promise((wake) => setTimeout(wake, 15_000))]).finally(
    () => (over = true),
  );
  await victim.close();
  if (over) {
    tally.kills++;
    tally.recoveriesKilled++;
  }
}

/** libvirt cannot be reached: nobody can look, which is said with the reason, and changes nothing. */
async function recoverBlind(stage: Stage): Promise<string[]> {
  const server = await openServer(stage, join(stage.directory, "nobody-listens.sock"));
  const begun = unsettled(stage.place.data, "status = 'begun'");
  await expect
    .poll(() => unsettled(stage.place.data, "status = 'begun'").length, { timeout: SETTLE_LIMIT_MS, interval: 50 })
    .toBe(0);
  const unknown = unsettled(stage.place.data, "status = 'unknown'");
  killProcess(server.pid());
  await server.close();
  return begun.flatMap(({ id }) => {
    const now = unknown.find((one) => one.id === id);
    const reason = now?.error ? (JSON.parse(now.error) as { message?: string }).message : undefined;
    return reason ? [] : [`libvirt was away, and operation ${id} is ${now?.status} because of ${reason}`];
  });
}
