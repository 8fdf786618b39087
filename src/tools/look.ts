/** Looking at one VM, for the tools that only read. */
import { DomainError } from "../domain/error.ts";
import { type Look, observe } from "../domain/observe.ts";
import type { State } from "../domain/operation.ts";
import { findVm } from "./target.ts";
import type { ToolContext } from "./tool.ts";

/** @throws DomainError VM_NOT_FOUND, or VM_GONE when there is only a record of it */
export async function lookAt(context: ToolContext, ref: string, look: Omit<Look, "signal"> = {}): Promise<State> {
  const { backend, store, target } = await findVm(context, ref);
  const state = await observe({ backend, store }, target, { ...look, signal: context.signal });
  if (!state.vm) throw new DomainError("VM_GONE", { vm: ref });
  return state;
}
