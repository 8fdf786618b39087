/** Where a worker's program runs, and what it may reach from there: a child process on Node, since Node bounds processes
 * alone, and a web worker on Deno, which bounds each for itself. */
import { startChild } from "./child.ts";
import type { ToWorker } from "./protocol.ts";
import { startWebWorker } from "./web-worker.ts";

export type Grants = Readonly<{ read: readonly string[]; write: readonly string[]; net: readonly string[] }>;

export type Confined = Readonly<{
  post(message: ToWorker): void;
  /** Ends it wherever it is, an endless loop included. */
  end(): Promise<void>;
}>;

export type ConfinedOptions = Readonly<{
  program: URL;
  name: string;
  /** Where code may be loaded from over the network. */
  remote: boolean;
  grants: Grants;
  heapMib: number;
  /** The words before a program that end it with this process. */
  tether: readonly string[];
  message(value: unknown): void;
  /** One line of what it printed. */
  line(text: string): void;
  /** It has ended by itself. */
  ended(reason: string): void;
}>;

export const startConfined = (options: ConfinedOptions): Confined =>
  "Deno" in globalThis ? startWebWorker(options) : startChild(options);
