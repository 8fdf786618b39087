/** Names by which one run of the tests tells its guests from those of another run beside it. */
import { mkdtemp } from "node:fs/promises";
import { newRun, prefixOf, RUN_VARIABLE } from "./test-run.ts";

export const testRun = process.env[RUN_VARIABLE] ?? newRun();
export const guestPrefix = prefixOf(testRun);

/** Makes a directory of this run, which QEMU's own user can be let into. */
export const workDirectory = (): Promise<string> => mkdtemp(`/var/tmp/${guestPrefix}`);
