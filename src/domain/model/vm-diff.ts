/** Compares an observed VM with its last reported state, and adds the occurrences that no observation shows. Pure. */

import { type DomainEvent, type EventType, noteOf } from "./event.ts";
import type { Occurrence } from "./occurrence.ts";
import { type ReportedState, reportedStateOf } from "./reported-state.ts";
import type { Target, Vm } from "./vm.ts";

/** An occurrence, and when the hypervisor reported it, in milliseconds of `performance.now()`. */
export type TimedOccurrence = Occurrence & Readonly<{ reportedMs?: number }>;

/** `reportedMs`: when the hypervisor reported it; absent: only the time of the observation is known. */
export type Fact = Readonly<{ type: EventType; data: DomainEvent["data"]; reportedMs?: number }>;
export type VmDelta = Readonly<{ reportedState: ReportedState | null; facts: readonly Fact[] }>;

export type DiffOptions = Readonly<{
  /** The occurrences are old, so the bytes read before and after them cannot be told apart. */
  isLate?: boolean;
  /** A list of all VMs found the difference, so no further event will explain it. */
  isFound?: boolean;
}>;

/** The facts to report about a VM, and its new reported state (`null`: it is gone). `before` absent: the VM was never
 * reported. Operations report their own effects, so every difference here was caused by something else. */
export function diffVm(
  connection: string,
  before: ReportedState | undefined,
  vm: Vm | undefined,
  occurrences: readonly TimedOccurrence[] = [],
  { isLate = false, isFound = true }: DiffOptions = {},
): VmDelta {
  if (!vm) return { reportedState: null, facts: before ? [...ended(before, undefined), elsewhere("undefined")] : [] };
  const resets = occurrences.filter(({ type, run }) => type === "rebooted" && run === (vm.run ?? before?.run));
  const seen = reportedStateOf(connection, vm, before);
  const inRun = vm.run === undefined ? 0 : resets.length;
  const read = inRun > 0 && vm.readBytes && !isLate ? { readAtReset: vm.readBytes } : {};
  const low = occurrences.flatMap((one) => (one.type === "space_low" && one.run === vm.run ? [one.target] : []));
  const lowSpace = [...new Set([...seen.lowSpace, ...low])].sort();
  const isReported = occurrences.some(({ type }) => type === "io_error");
  // The hypervisor names the disk a moment later; the error is reported then, or once a list finds it.
  const waits = isIoError(vm) && !(before && isIoError(before)) && !isReported && !isFound;
  const { powerReason: _unreported, ...rest } = seen;
  const reportedState = { ...(waits ? rest : seen), lowSpace, reboots: seen.reboots + inRun, ...read };
  if (!before) return { reportedState, facts: [elsewhere("defined"), ...(vm.run === undefined ? [] : [started(vm)])] };
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
  // It may have been started and paused between two observations.
  const ran: Pick<ReportedState, "power" | "powerReason"> = isNew ? { power: "running" } : before;
  if (isCrashed(vm) && !isCrashed(ran)) facts.push({ type: "vm.crashed", data: { run: vm.run } });
  else facts.push(...pauses(ran, vm));
  facts.push(
    ...ejections(before, vm),
    ...swaps(before, reportedState),
    ...troubles(seen, before, vm, occurrences, waits),
  );
  if (reportedState.agent && !(before.agent && before.run === vm.run))
    facts.push({ type: "agent.connected", data: { run: vm.run } });
  // The name is part of the definition.
  if (vm.name !== before.name) facts.push(elsewhere("renamed", { from: before.name, to: vm.name }));
  else if (vm.fingerprint !== before.fingerprint) facts.push(elsewhere("redefined"));
  return { reportedState, facts };
}

/** Whether there is nothing to report and nothing to store. */
export const isEmptyDelta = ({ reportedState, facts }: VmDelta, before: ReportedState | undefined): boolean =>
  facts.length === 0 && JSON.stringify(reportedState ?? undefined) === JSON.stringify(before);

const when = ({ reportedMs }: TimedOccurrence): Pick<Fact, "reportedMs"> =>
  reportedMs === undefined ? {} : { reportedMs };

/** The events that report these facts of a VM. */
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

/** The fact that a run ended. The hypervisor remembers only how the last run ended. */
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

/** Pauses and resumes by a user. I/O errors and crashes have events of their own, and a halt by the hypervisor itself,
 * while it starts or saves the guest, is no pause. */
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

/** Another program's changes of a running VM's media. The hypervisor has no event for one that ejects nothing. */
function swaps(before: ReportedState, now: ReportedState): Fact[] {
  if (before.run !== now.run) return [];
  const drives = [...new Set([...Object.keys(before.media), ...Object.keys(now.media)])].sort();
  return drives
    .filter((drive) => before.media[drive] !== now.media[drive])
    .map((drive) => elsewhere("media", { drive, from: before.media[drive], to: now.media[drive] }));
}

/** I/O errors and low space. Low space is reported once for each disk and run, since a new connection repeats it. */
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
