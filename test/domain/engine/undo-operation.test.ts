import { describe, expect, test } from "vitest";
import { goalOf } from "../../../src/domain/changes/goal.ts";
import type { Operation } from "../../../src/domain/changes/operation.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import { undoChanges } from "../../../src/domain/engine/undo-operation.ts";
import { bootOrderOf } from "../../../src/domain/model/boot-order.ts";
import { rolesFor } from "../../../src/domain/model/roles.ts";
import type { State } from "../../../src/domain/model/state.ts";
import type { Capabilities } from "../../../src/domain/ports/backend.ts";
import { orderChange, state, vm, vmDefinition, vmRecord } from "../../support/world.ts";
import { AT } from "../fixture.ts";

const capabilities: Capabilities = {
  backend: "test",
  groups: [],
  changes: { "boot_order.set": { running: "next_start" } },
};

/** What is on record and in the definition after this order was set and the setting undone. */
function setAndUndone(before: State) {
  const { steps, goal } = decide(before, [orderChange(before, "hd")], capabilities, ["DISK_BLANK", "NOTHING_BOOTS"]);
  const operation: Operation = {
    ...{ id: "a", target: before.target, actor: "test", what: "set_boot_order", direction: "forward" },
    ...{ status: "applied", steps, begunAt: AT },
  };
  const back = undoChanges(operation, goal).reduce(goalOf, goal);
  return { asked: back.record?.requestedOrder, order: bootOrderOf(back.vm!.next, rolesFor(back)).order };
}

const { requestedOrder: _none, ...adopted } = vmRecord({ origin: "adopted" });

describe("undoChanges()", () => {
  test("undoChanges() puts the order back that was asked for before", () => {
    expect(setAndUndone(state({ record: vmRecord() }))).toEqual({ asked: "cdrom_hd", order: "cdrom_hd" });
  });

  test("undoChanges() leaves nothing asked for that is not there, of a VM that nothing was asked of before", () => {
    expect(setAndUndone(state({ record: adopted }))).toEqual({ asked: "cdrom_hd", order: "cdrom_hd" });
    const boot = { style: "os", entries: [{ device: "class:network", order: 1 }] } as const;
    const custom = state({ vm: vm({ next: vmDefinition({ boot }) }), record: adopted });
    expect(setAndUndone(custom)).toEqual({ asked: undefined, order: "custom" });
  });
});
