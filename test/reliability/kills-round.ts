// One round: servers and commands die at their work on several VMs at once, another process settles what they left, and
// what each VM, its files and the database say then is compared.

import { disagreements, lookAtAll, type Recorded, staleStarts, type World } from "./agreement.ts";
import type { Chance } from "./kills-chance.ts";
import { type Aim, type Death, dieCalling, dieServing, type Scene } from "./kills-process.ts";
import { settle, unsettled } from "./kills-recovery.ts";
import {
  differences,
  foreignDisk,
  type Request,
  requestsFor,
  reversible,
  type TestVm,
  type VmView,
  viewOf,
  wantedAfter,
} from "./kills-requests.ts";

export type Stage = Scene &
  Readonly<{
    testVms: readonly TestVm[];
    isos: readonly string[];
    chance: Chance;
    /** Defines the machine of a foreign VM again, as another program would. */
    define: (testVm: TestVm) => Promise<void>;
    undoable: Map<string, { operation: string; before: VmView }>;
    tally: Tally;
  }> & {
    /** The state at the end of the last round. */
    seen?: World;
  };

export type Tally = {
  kills: number;
  recoveriesKilled: number;
  /** The number of kills by how the operation ended, or "before it began" and "after its end". */
  ended: Record<string, number>;
  requests: Record<string, number>;
  unknownThenSettled: number;
  operations: number;
  disagreements: number;
};

/** The milliseconds that an operation takes, and its number of calls: a first guess, then what was measured. */
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

/** Picks an aim: a time within the operation, one of its calls to libvirt, or one of its changes of files. */
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
  const { tally, place, testVms } = stage;
  let ready = stage.seen ?? (await lookAtAll(place));
  const gone = testVms.filter(({ foreign, name }) => foreign && !ready.domains.some((one) => one.name === name));
  for (const testVm of gone) await stage.define(testVm);
  if (gone.length) ready = await lookAtAll(place);
  const attempts = testVms.map((testVm) => attemptOn(stage, testVm, viewOf(ready, testVm)));
  const deaths = await Promise.all(attempts.map((one) => die(stage, one)));
  tally.kills += attempts.length;

  const left = unsettled(place.data);
  const said = await settle(stage, left, attempts.length);
  const after = await lookAtAll(place);
  stage.seen = after;
  const wrong = [
    ...disagreements(after, place, {
      foreignFiles: testVms.filter(({ foreign }) => foreign).map((testVm) => foreignDisk(place.images, testVm)),
      living: said.living,
    }),
    ...staleStarts(place).map((name) => `${name} is still there`),
    ...said.wrong,
  ];
  const old = new Set(ready.operations.map(({ id }) => id));
  const fresh = after.operations.filter(({ id }) => !old.has(id));
  tally.operations += fresh.length;
  for (const [index, one] of attempts.entries()) wrong.push(...judge(stage, one, deaths[index]!, fresh, after));
  return wrong;
}

type Attempt = Readonly<{ testVm: TestVm; before: VmView; request: Request; aim: Aim; surface: "server" | "command" }>;

/** Picks, of the requests that can be made on this VM, the one that was made least. */
function attemptOn(stage: Stage, testVm: TestVm, before: VmView): Attempt {
  const { chance, tally } = stage;
  const requests = requestsFor(testVm, before, stage.undoable.get(testVm.name), {
    isos: stage.isos,
    pick: chance.pick,
  });
  const count = ({ kind }: Request) => tally.requests[kind] ?? 0;
  const least = Math.min(...requests.map(count));
  const request = chance.pick(requests.filter((one) => count(one) === least));
  tally.requests[request.kind] = least + 1;
  const surface = !request.confirmed && chance.of(0.15) ? "command" : "server";
  const drawn = aimAt(stage, request.kind);
  // A command's own start takes time too.
  const aim = surface === "command" && drawn.at === "time" ? { ...drawn, ms: drawn.ms + 500 } : drawn;
  return { testVm, before, request, aim, surface };
}

/** `open` says that the process died with the operation begun. */
type Died = Death & Readonly<{ open: boolean }>;

async function die(stage: Stage, { testVm, before, request, aim, surface }: Attempt): Promise<Died> {
  const death = await (surface === "server" ? dieServing : dieCalling)(stage, request.ask, aim);
  if (death.ms !== undefined && surface === "server") {
    const { ms } = courseOf(request.kind);
    const known = courses.has(request.kind);
    courses.set(request.kind, { ms: known ? (ms + death.ms) / 2 : death.ms, calls: death.calls, writes: death.writes });
  }
  const open = unsettled(stage.place.data).some(({ uuid, steps }) => uuid === before.uuid || createsFor(testVm, steps));
  return { ...death, open };
}

const describe = ({ testVm, request, aim, surface }: Attempt) =>
  `${testVm.name}, ${request.kind} by a ${surface} that died at ${JSON.stringify(aim)}`;

function judge(
  { tally, undoable }: Stage,
  one: Attempt,
  death: Died,
  fresh: readonly Recorded[],
  world: World,
): string[] {
  const { testVm, before, request } = one;
  const mine = fresh.filter(({ uuid, steps }) => uuid === before.uuid || createsFor(testVm, steps));
  const now = viewOf(world, testVm);
  const wrong: string[] = [];
  if (death.refused !== undefined) wrong.push(`it was refused: ${death.refused}`);
  if (mine.length > 1) wrong.push(`it left ${mine.length} operations`);
  const [operation] = mine;
  const wanted = wantedAfter(request, before, operation);
  wrong.push(...(typeof wanted === "string" ? [wanted] : differences(wanted, before, now)));
  if (death.answer && operation?.status !== "applied") wrong.push(`it was answered, and ended ${operation?.status}`);
  const ending = operation === undefined ? "before it began" : death.open ? operation.status : "after its end";
  tally.ended[ending] = (tally.ended[ending] ?? 0) + 1;
  if (operation?.status === "applied") {
    if (reversible.has(request.kind)) undoable.set(testVm.name, { operation: operation.id, before });
    else undoable.delete(testVm.name);
  }
  return wrong.map((what) => `${describe(one)} (${ending}): ${what}`);
}

const createsFor = ({ name }: TestVm, steps: Recorded["steps"]) =>
  steps.some(({ change }) => change.kind === "vm.create" && (change.spec as { name: string }).name === name);
