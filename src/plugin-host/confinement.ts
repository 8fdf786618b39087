/** Where a worker's program runs, and what it may reach from there: a child process on Node, since Node bounds processes
 * alone, and a web worker on Deno, which bounds each for itself. */
import { startChild } from "./child.ts";
import type { Confined, ConfinedOptions } from "./sandbox.ts";
import { startWebWorker } from "./web-worker.ts";

export const startConfined = (options: ConfinedOptions): Confined =>
  "Deno" in globalThis ? startWebWorker(options) : startChild(options);
