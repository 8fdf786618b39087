/** What would boot if the order were another one, for whoever is about to choose. */
import { bootWith, type PresetOrder } from "./boot-order.ts";
import { type Prediction, predict } from "./boot-rules.ts";
import { rolesFor } from "./roles.ts";
import type { State } from "./state.ts";

/** What a cold start would boot if the VM had this order. @throws TypeError when the state has no VM */
export function predictOrder(state: State, order: PresetOrder): Prediction {
  if (!state.vm) throw new TypeError("Cannot predict the boot of a VM that does not exist");
  const { next } = state.vm;
  const roles = rolesFor(state);
  return predict(state, { ...next, boot: bootWith(next, roles, order) }, roles);
}
