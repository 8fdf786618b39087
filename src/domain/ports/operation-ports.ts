/** The ports of an operation. */
import type { Backend } from "./backend.ts";
import type { Claim, Store } from "./store.ts";

/** The ports of an operation: one backend, the store, and the clock and ids, which tests replace. */
export type Ports = Readonly<{
  backend: Backend;
  store: Store;
  newId: () => string;
  now: () => Date;
  /** How long to wait for another operation on the same VM, in milliseconds. */
  claimWaitMs: number;
  /** The claim under which it runs; its settlement releases it. */
  claim?: Claim;
}>;
