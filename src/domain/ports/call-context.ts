/** One call on its way from its surface to the hypervisor. A surface makes it; whoever passes it on may leave less time or
 * fewer hooks, and never more. */
import type { Deadline } from "../deadline.ts";
import type { State } from "../model/state.ts";

export type CallContext = Readonly<{
  /** Who asks, as history shows it: the surface and its client. */
  actor: string;
  /** Aborted when the caller gives up. */
  signal: AbortSignal;
  /** Until when the caller is kept waiting for what changes nothing yet; its signal is aborted with the caller's, too.
   * From the first write on the steps have times of their own. */
  deadline: Deadline;
  /** `percent`: 0 to 100, where it is known how much is done. */
  progress: (message: string, percent?: number) => void;
  /** One line for whoever runs the program. */
  log?: (message: string) => void;
  /** Called once an operation is on record, before anything is touched. */
  begun?: (operation: string) => void | Promise<void>;
  /** Called with the state that an answer about one VM is made from. */
  observed?: (state: State) => void;
  /** Throws where the caller no longer wants a change, given what is true now. */
  expect?: (state: State) => void;
}>;
