/** What is news about a VM: how it differs from what was last told, and what happened without leaving a trace. Pure. */

import { type DomainEvent, type EventType, noteOf } from "./event.ts";
import type { Occurrence } from "./occurrence.ts";
import { type ReportedState, reportedStateOf } from "./reported-state.ts";
import type { Target, Vm } from "./vm.ts";

/** Something that happened, and when it was told of, in the milliseconds of `performance.now()`. */
export type TimedOccurrence = Occurrence & Readonly<{ reportedMs?: number }>;

/** `reportedMs`: when the hypervisor told of it; without it, when it was found is all that is known. */
export type Fact = Readonly<{ type: EventType; data: DomainEvent["data"]; reportedMs?: number }>;
export type VmDelta = Readonly<{ sighting: ReportedState | null; facts: readonly Fact[] }>;

export type DiffOptions = Readonly<{
  /** What happened did so a while ago: what has been read since then is not told from what was read before. */
  isLate?: boolean;
  /** Nobody told of it, so nobody will tell more of it. */
  isFound?: boolean;
}>;

/** `before` absent: nothing was ever told of this VM. Operations tell what they did themselves and leave what they saw, so
 * whatever is different here was done by somebody else. */
export function diffVm(
  connection: string,
  before: ReportedState | undefined,
  vm: Vm | undefined,
  occurrences: readonly TimedOccurrence[] = [],
  { isLate = false, isFound = true }: DiffOptions = {},
): VmDelta {
  if (!vm) return { sighting: null, facts: before ? [...ended(before, undefined), elsewhere("undefined")] : [] };
  const resets = occurrences.filter(({ type, run }) => type === "rebooted" && run === (vm.run ?? before?.run));
  const seen = reportedStateOf(connection, vm, before);
  const inRun = vm.run === undefined ? 0 : resets.length;
  const read = inRun > 0 && vm.readBytes && !isLate ? { readAtReset: vm.readBytes } : {};
  const low = occurrences.flatMap((one) => (one.type === "space_low" && one.run === vm.run ? [one.target] : []));
  const lowSpace = [...new Set([...seen.lowSpace, ...low])].sort();
  const isReported = occurrences.some(({ type }) => type === "io_error");
  // The hypervisor says on which disk a moment later; until then, or until a look finds it, it has not been told.
  const waits = isIoError(vm) && !(before && isIoError(before)) && !isReported && !isFound;
  const { powerReason: _unreported, ...rest } = seen;
  const sighting = { ...(waits ? rest : seen), lowSpace, reboots: seen.reboots + inRun, ...read };
  if (!before) return { sighting, facts: [elsewhere("defined"), ...(vm.run === undefined ? [] : [started(vm)])] };
  const facts: Fact[] = [];
  const rebootsBefore = before.run === vm.run ? before.reboots : 0;
  for (const [index, reset] of resets.entries())
    facts.push({
      type: "vm.rebooted",
      data: { run: vm.run ?? before.run, reboots: rebootsBefore + index + 1 },
      ...when(reset),
    });
  if (before.run !== undefined && before.run !== vm.run) facts.push(...ended(before, vm));
  const isNew = vm.run !== undefined && before.run !== vm.run;
  if (isNew) facts.push(started(vm));
  // Between two looks it may have been started and paused.
  const ran: Pick<ReportedState, "power" | "powerReason"> = isNew ? { power: "running" } : before;
  if (isCrashed(vm) && !isCrashed(ran)) facts.push({ type: "vm.crashed", data: { run: vm.run } });
  else facts.push(...pauses(ran, vm));
  facts.push(...ejections(before, vm), ...swaps(before, sighting), ...troubles(seen, before, vm, occurrences, waits));
  if (sighting.agent && !(before.agent && before.run === vm.run))
    facts.push({ type: "agent.connected", data: { run: vm.run } });
  // The name is part of the definition.
  if (vm.name !== before.name) facts.push(elsewhere("renamed", { from: before.name, to: vm.name }));
  else if (vm.fingerprint !== before.fingerprint) facts.push(elsewhere("redefined"));
  return { sighting, facts };
}

/** Whether there is nothing to tell and nothing to remember. */
export const isEmptyDelta = ({ sighting, facts }: VmDelta, before: ReportedState | undefined): boolean =>
  facts.length === 0 && JSON.stringify(sighting ?? undefined) === JSON.stringify(before);

const when = ({ reportedMs }: TimedOccurrence): Pick<Fact, "reportedMs"> =>
  reportedMs === undefined ? {} : { reportedMs };

/** The events that tell these facts of a VM. */
export function eventsOf(
  { newId, now }: Readonly<{ newId: () => string; now: () => Date }>,
  target: Target,
  facts: readonly Fact[],
  more: Readonly<{ name: string; managed: boolean }>,
): DomainEvent[] {
  return facts.map(({ type, data, reportedMs }) => {
    const ageMs = reportedMs === undefined ? 0 : performance.now() - reportedMs;
    const time = new Date(now().getTime() - ageMs).toISOString();
    return noteOf(newId(), target, time, type, { ...more, ...data });
  });
}

const elsewhere = (what: string, more: Record<string, unknown> = {}): Fact => ({
  type: "vm.changed_elsewhere",
  data: { what, ...more },
});

const started = ({ run }: Vm): Fact => ({ type: "vm.started", data: { run } });

/** The hypervisor remembers how the last run ended, not the one before. */
function ended({ run }: ReportedState, vm: Vm | undefined): Fact[] {
  if (run === undefined) return [];
  const reason = vm?.power === "off" ? vm.stopReason : undefined;
  if (reason === "crashed") return [{ type: "vm.crashed", data: { run } }];
  return [{ type: "vm.stopped", data: { run, reason: reason ?? "unknown" } }];
}

const isIoError = ({ power, powerReason }: Pick<ReportedState, "power" | "powerReason">): boolean =>
  power === "paused" && powerReason === "io_error";

const isCrashed = ({ power, powerReason }: Pick<ReportedState, "power" | "powerReason">): boolean =>
  power === "paused" && powerReason === "crashed";

/** Why an I/O error or a crash stopped the guest is told by events of their own, and what the hypervisor halts for a moment
 * of its own accord, while it starts or saves the guest, is no pause. */
function pauses(before: Pick<ReportedState, "power" | "powerReason">, { power, powerReason, run }: Vm): Fact[] {
  if (run === undefined) return [];
  const was = isHalted(before) ? "running" : before.power;
  const is = powerReason === undefined ? power : "running";
  if (was === is) return [];
  if (is === "running" && power === "running") return [{ type: "vm.resumed", data: { run } }];
  return is === "paused" ? [{ type: "vm.paused", data: { run } }] : [];
}

const isHalted = ({ power, powerReason }: Pick<ReportedState, "power" | "powerReason">): boolean =>
  power === "paused" && powerReason !== undefined && powerReason !== "io_error";

const ejections = (before: ReportedState, { live, run }: Vm): Fact[] =>
  (live?.drives ?? [])
    .filter(({ target, path, tray }) => path !== undefined && tray === "open" && !before.ejected.includes(target))
    .map(({ target, path }) => ({ type: "media.ejected_by_guest", data: { run, drive: target, path } }));

/** Another program's change of a running VM's medium makes no event where nothing is ejected for it. */
function swaps(before: ReportedState, now: ReportedState): Fact[] {
  if (before.run !== now.run) return [];
  const drives = [...new Set([...Object.keys(before.media), ...Object.keys(now.media)])].sort();
  return drives
    .filter((drive) => before.media[drive] !== now.media[drive])
    .map((drive) => elsewhere("media", { drive, from: before.media[drive], to: now.media[drive] }));
}

/** That space is low is told once for each disk in a run: a connection that was lost tells it anew. */
function troubles(
  seen: ReportedState,
  before: ReportedState,
  vm: Vm,
  occurrences: readonly TimedOccurrence[],
  waits: boolean,
): Fact[] {
  const paused = isIoError(vm);
  const facts = occurrences.flatMap((occurrence): Fact[] => {
    const { type, run } = occurrence;
    if (type === "io_error") {
      const { target, reason } = occurrence;
      return [{ type: "disk.io_error", data: { run, paused, disk: target, reason }, ...when(occurrence) }];
    }
    if (type === "space_low" && !seen.lowSpace.includes(occurrence.target)) {
      const { target: disk, freeBytes: free_bytes } = occurrence;
      return [{ type: "disk.space_low", data: { run, disk, free_bytes }, ...when(occurrence) }];
    }
    return [];
  });
  const isReported = facts.some(({ type }) => type === "disk.io_error");
  const isNew = paused && !isIoError(before) && !waits;
  return isNew && !isReported ? [...facts, { type: "disk.io_error", data: { run: vm.run, paused } }] : facts;
}
