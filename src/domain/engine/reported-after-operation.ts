/** Computes a VM's reported state after an operation. The operation's own events report what it did; every other
 * difference from the last reported state remains to be reported. */
import { definitionOf, writesDefinition } from "../changes/catalogue.ts";
import type { Step } from "../changes/operation.ts";
import { type ReportedState, reportedStateOf } from "../model/reported-state.ts";
import type { State } from "../model/state.ts";
import type { Vm } from "../model/vm.ts";
import { diffVm, eventsOf } from "../model/vm-diff.ts";
import type { Ports } from "../ports/operation-ports.ts";
import type { Settlement } from "../ports/store.ts";

/** The reported state and the events of an operation. Unreported differences from before the operation become events
 * here. Of the final state only the operation's own effects count as reported; the watcher finds the rest. */
export function reportedAfter(
  ports: Pick<Ports, "newId" | "now">,
  steps: readonly Step[],
  before: State,
  seen: State,
): NonNullable<Settlement["reports"]> {
  const { target, record } = before;
  const made = steps.filter(({ status }) => status !== "planned");
  return (reported) => {
    const news = reported && diffVm(target.connection, reported, before.vm, [], { isFound: false });
    const name = before.vm?.name ?? reported?.name ?? target.uuid;
    const events = eventsOf(ports, target, news?.facts ?? [], { name, managed: record !== undefined });
    if (!before.vm)
      return { reportedState: seen.vm ? atRunStart(reportedStateOf(target.connection, seen.vm)) : null, events };
    const base = news?.reportedState ?? reportedStateOf(target.connection, before.vm);
    if (seen.vm) return { reportedState: causedByUs(made, base, seen.vm), events };
    return { reportedState: made.some(({ change }) => definitionOf(change).removesVm) ? null : base, events };
  };
}

/** The reported state, updated by the effects of these steps. */
function causedByUs(steps: readonly Step[], base: ReportedState, vm: Vm): ReportedState {
  const now = reportedStateOf(base.connection, vm, base);
  const explained = steps.map(({ change }) => definitionOf(change).explains(change));
  const has = (run: "begins" | "ends") => steps.some(({ change }) => definitionOf(change).run === run);
  const renamed = explained.some(({ name }) => name);
  const wrote = steps.findLast((step) => step.wrote !== undefined)?.wrote;
  const fingerprint =
    wrote ?? (steps.some(({ change }) => writesDefinition(change)) ? now.fingerprint : base.fingerprint);
  const defined = { fingerprint, name: renamed ? now.name : base.name };
  if (base.run !== now.run && has("begins")) return { ...atRunStart(now), ...defined };
  if (base.run !== now.run && has("ends")) return { ...stopped(base), ...defined };
  const drives = explained.flatMap(({ drives }) => drives ?? []);
  if (base.run !== now.run || drives.length === 0) return { ...base, ...defined };
  const mine = (drive: string) => drives.includes(drive);
  const media = [...Object.entries(base.media), ...Object.entries(now.media)].filter(
    ([drive, path]) => (mine(drive) ? now : base).media[drive] === path,
  );
  return {
    ...base,
    ...defined,
    media: Object.fromEntries(media),
    ejected: base.ejected.filter((drive) => !mine(drive) || now.ejected.includes(drive)),
  };
}

/** The reported state of a run that has just begun: only its beginning is reported. */
const atRunStart = (reportedState: ReportedState): ReportedState => ({ ...reportedState, agent: false, ejected: [] });

function stopped({
  run: _over,
  powerReason: _was,
  readAtReset: _then,
  ...reportedState
}: ReportedState): ReportedState {
  return { ...reportedState, power: "off", media: {}, ejected: [], lowSpace: [], agent: false, reboots: 0 };
}
