// One run of the tests. Its guests, directories and processes carry its id, which tells them apart from those of another run
// beside it.

import { readFileSync } from "node:fs";

/** The variable by which processes of a run know it. */
export const RUN_VARIABLE = "BOOTWRIGHT_TEST_RUN";
const PREFIX = "bw-test-";
/** `PID-START`: the process that owns the run, and when it began, since its number is another's one day. */
const RUN = "\\d+-[0-9a-z]+";

export const isRun = (text: string): boolean => new RegExp(`^${RUN}$`).test(text);

/** The prefix of the names of a run's guests, and of its directories below /var/tmp. */
export const prefixOf = (run: string): string => `${PREFIX}${run}-`;

/** Returns the run that a guest's or directory's name, or a process's command line, belongs to. */
export const runIn = (text: string): string | undefined => new RegExp(`(?:^|\\W)${PREFIX}(${RUN})-`).exec(text)?.[1];

/** Of `/proc/PID/stat`: what comes behind the program's name, which may hold anything. Undefined where there is no such
 * process, or no /proc. */
export function statOf(pid: number | string): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Returns when the process began, in clock ticks after the host did. */
const startOf = (pid: number | string): string | undefined => {
  const ticks = statOf(pid)?.[19];
  return ticks === undefined ? undefined : Number(ticks).toString(36);
};

export const newRun = (): string => `${process.pid}-${startOf(process.pid) ?? Date.now().toString(36)}`;

/** Returns whether the process that owns a run is gone: what a living run has is left alone. */
export function isOver(run: string): boolean {
  const [pid, start] = run.split("-");
  return startOf(pid!) !== start;
}
