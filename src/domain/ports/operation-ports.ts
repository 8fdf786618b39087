/** What an operation is given. */
import type { Backend } from "./backend.ts";
import type { Claim, Store } from "./store.ts";

/** What an operation is given: one backend, the store, and what makes it repeatable in a test. */
export type Ports = Readonly<{
  backend: Backend;
  store: Store;
  newId: () => string;
  now: () => Date;
  /** How long to wait for another operation on the same VM, in milliseconds. */
  claimWaitMs: number;
  /** The claim under which it runs: given back with its settlement. */
  claim?: Claim;
}>;
