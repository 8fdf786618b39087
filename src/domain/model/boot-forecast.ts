/** Predicts what would boot with another order, for a user who is about to choose one. */
import { bootWith, type PresetOrder } from "./boot-order.ts";
import { type Prediction, predict } from "./boot-rules.ts";
import { rolesFor } from "./roles.ts";
import type { State } from "./state.ts";

/** Predicts what a cold start would boot with this order. @throws TypeError when the state has no VM */
export function predictOrder(state: State, order: PresetOrder): Prediction {
  if (!state.vm) throw new TypeError("Cannot predict the boot of a VM that does not exist");
  const { next } = state.vm;
  const roles = rolesFor(state);
  return predict(state, { ...next, boot: bootWith(next, roles, order) }, roles);
}
