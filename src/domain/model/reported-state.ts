/** What was last told of a VM. Whatever differs from it at the next look is news, so nothing is missed while nobody watched,
 * and nothing is told twice. */
import type { Target, Vm } from "./vm.ts";

export type ReportedState = Readonly<
  Target & {
    name: string;
    power: Vm["power"];
    powerReason?: string;
    run?: string;
    /** Of the next definition. */
    fingerprint: string;
    /** CD-ROM drives of the running VM whose tray is open with an ISO in it. */
    ejected: readonly string[];
    /** What is in the drives of the running VM, by target. */
    media: Readonly<Record<string, string>>;
    /** Disks of which it was told in this run that the host's space for them is low. */
    lowSpace: readonly string[];
    agent: boolean;
    /** How often the guest has been seen to reset itself in this run. */
    reboots: number;
    /** What had been read of each device by the time of the last reset of this run, in bytes; absent before the first. */
    readAtReset?: Readonly<Record<string, number>>;
  }
>;

/** What there is to see of a VM now; `before` is carried on within one run. */
export function reportedStateOf(connection: string, vm: Vm, before?: ReportedState): ReportedState {
  const { uuid, name, power, powerReason, run, fingerprint } = vm;
  const media = (vm.live?.drives ?? []).flatMap(({ target, path, tray }) =>
    path === undefined ? [] : [{ target, path, tray }],
  );
  const sameRun = before !== undefined && before.run === run ? before : undefined;
  return {
    connection,
    uuid,
    name,
    power,
    fingerprint,
    ejected: media
      .filter(({ tray }) => tray === "open")
      .map(({ target }) => target)
      .sort(),
    media: Object.fromEntries(media.map(({ target, path }) => [target, path])),
    lowSpace: sameRun?.lowSpace ?? [],
    agent: vm.agent ?? false,
    reboots: sameRun?.reboots ?? 0,
    ...(powerReason !== undefined && { powerReason }),
    ...(run !== undefined && { run }),
    ...(sameRun?.readAtReset && { readAtReset: sameRun.readAtReset }),
  };
}
