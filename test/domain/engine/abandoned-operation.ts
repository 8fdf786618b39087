/** What an operation looks like whose process has ended. */
import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { stateToKeep } from "../../../src/domain/changes/journal.ts";
import type { Operation } from "../../../src/domain/changes/operation.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import type { State } from "../../../src/domain/model/state.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import { isos, type World } from "../../support/world.ts";
import { AT } from "../fixture.ts";
import { perform } from "./faults.ts";

/** An operation as a process left it that ended. */
export async function left(
  w: World,
  at: Target,
  changes: (now: State) => Change[],
  more: Partial<Operation> = {},
  statuses: readonly string[] = [],
): Promise<Operation> {
  const now = await w.look(at);
  const steps = decide(
    { ...now, isos: (await perform(w.ports, at, [], { look: { isoPaths: [isos.installer] } })).before.isos },
    changes(now),
    w.backend.capabilities,
  ).steps;
  const operation: Operation = {
    id: crypto.randomUUID(),
    target: at,
    actor: "cli",
    what: "test_tool",
    direction: "forward",
    status: "begun",
    before: stateToKeep(now),
    steps: steps.map((step, index) => ({ ...step, status: (statuses[index] ?? "planned") as typeof step.status })),
    ...(now.vm && { definition: await w.backend.exportDefinition(at.uuid) }),
    begunAt: AT,
    ...more,
  };
  await w.store.begin(operation);
  return operation;
}
