/** The last reported state of a VM. Any difference at the next observation becomes an event, so that nothing is missed
 * while no process watches, and nothing is reported twice. */
import type { Target, Vm } from "./vm.ts";

export type ReportedState = Readonly<
  Target & {
    name: string;
    power: Vm["power"];
    powerReason?: string;
    run?: string;
    /** Fingerprint of the next definition. */
    fingerprint: string;
    /** CD-ROM drives of the running VM whose tray is open with an ISO in it. */
    ejected: readonly string[];
    /** Paths of the media in the running VM's drives, by target. */
    media: Readonly<Record<string, string>>;
    /** Targets of the disks whose low space on the host was reported in this run. */
    lowSpace: readonly string[];
    agent: boolean;
    /** The observed number of guest resets in this run. */
    reboots: number;
    /** Bytes read from each device by the time of this run's last reset, by target; absent before the first reset. */
    readAtReset?: Readonly<Record<string, number>>;
  }
>;

/** The reportable state of an observed VM. Within one run it carries `before`'s counters on. */
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
