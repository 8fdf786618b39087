/** What the contract's tests are given, and the values that they write. */
import type { Operation } from "../../src/domain/changes/operation.ts";
import type { DomainEvent, EventType } from "../../src/domain/model/event.ts";
import type { Target } from "../../src/domain/model/vm.ts";
import type { VmRecord } from "../../src/domain/model/vm-record.ts";
import type { Settlement, Store } from "../../src/domain/ports/store.ts";
import { event, operation, record } from "./fixture.ts";
import type { Process } from "./shared-databases.ts";

export type Harness = Readonly<{
  one: Store;
  two: Store;
  /** One more store, in a process that can be killed. */
  start(): Promise<Process<Store>>;
  /** A VM that no other test knows. */
  vm(): Target;
}>;
export type Test = (title: string, body: (harness: Harness) => Promise<unknown>) => void;

export const asking = { actor: "cli", what: "set_boot_order" };

let operations = 0;
export const operationOn = (target: Target, more: Partial<Operation> = {}): Operation =>
  operation(`op-${++operations}-${crypto.randomUUID()}`, { target, begunAt: new Date().toISOString(), ...more });

export const recordOf = (target: Target, more: Partial<VmRecord> = {}): VmRecord => record({ ...target, ...more });

export const eventOf = (target: Target, id: string, type?: EventType): DomainEvent => ({
  ...event(id, type),
  subject: target.uuid,
});

export const settlement = (more: Partial<Settlement> = {}): Settlement => ({
  status: "applied",
  steps: [],
  events: [],
  ...more,
});

/** Begins an operation and settles it. Returns its id. */
export async function carryOut(
  store: Store,
  target: Target,
  more: Partial<Settlement> = {},
  begun: Partial<Operation> = {},
): Promise<string> {
  const operation = operationOn(target, begun);
  await store.begin(operation);
  await store.settle(operation.id, settlement(more));
  return operation.id;
}
