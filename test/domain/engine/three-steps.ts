/** An operation of several steps on a VM in memory, and what is compared before and after it. */

import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { transitionChanges } from "../../../src/domain/changes/installation.ts";
import { bootOrderOf } from "../../../src/domain/model/boot-order.ts";
import type { State } from "../../../src/domain/model/state.ts";
import type { VmDefinition } from "../../../src/domain/model/vm.ts";
import { editDefinition } from "../../support/simulator.ts";
import { isos, orderChange, type World } from "../../support/world.ts";

export const attach: Change = { kind: "media.set", drive: "sda", force: false, next: isos.installer };
export const threeSteps = (now: State): Change[] => [
  attach,
  orderChange(now, "hd"),
  ...transitionChanges(now, "complete"),
];
export const look = { isoPaths: [isos.installer] };
/** What an operation must leave as it was: everything but the clock. */
export const meaningOf = ({ vm, record }: State) => ({
  next: vm?.next,
  power: vm?.power,
  claim: vm?.claim,
  record: { ...record, updatedAt: "" },
});
export const edit = (w: World, uuid: string, more: Partial<VmDefinition>) =>
  editDefinition(w.session, uuid, (next) => ({ ...next, ...more }));
export const orderIn = (now: State) => bootOrderOf(now.vm!.next, now.record!.roles).order;
