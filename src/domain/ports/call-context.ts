/** The context of one call, from its surface to the hypervisor. A surface makes it; inner calls may reduce its time or
 * hooks, and never extend them. */
import type { Deadline } from "../deadline.ts";
import type { State } from "../model/state.ts";

export type CallContext = Readonly<{
  /** The caller, as history shows it: the surface and its client. */
  actor: string;
  /** Aborted when the caller gives up. */
  signal: AbortSignal;
  /** The deadline for the work before the first write; its signal is aborted with the caller's, too. From the first
   * write on each step has a time limit of its own. */
  deadline: Deadline;
  /** `percent`: 0 to 100, if known. */
  progress: (message: string, percent?: number) => void;
  /** Logs one line for the server's operator. */
  log?: (message: string) => void;
  /** Called once an operation is on record, before anything is touched. */
  begun?: (operation: string) => void | Promise<void>;
  /** Called with the state behind an answer about one VM. */
  observed?: (state: State) => void;
  /** Throws if the caller does not want the change in this state. */
  expect?: (state: State) => void;
}>;
