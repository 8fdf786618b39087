/** Looking at one VM, for the tools that only read. Where its hypervisor does not answer they say what is on record, and
 * that it is no more than that. */
import { z } from "zod";
import { type ObserveOptions, observe, withImages } from "../domain/engine/observe.ts";
import { DomainError } from "../domain/error.ts";
import type { State } from "../domain/model/state.ts";
import type { Backend } from "../domain/ports/backend.ts";
import { findVm, soon } from "./find-vm.ts";
import type { ToolContext } from "./tool.ts";

/** Why a state is only what the record remembers, and how old that is. */
export type Stale = Readonly<{ since: string; error: Error }>;
/** Without its VM, the state has a record. */
export type Looked = Readonly<{ state: State; backend: Backend; stale?: Stale }>;

export const StaleView = {
  stale: z.boolean().optional().describe("Its connection did not answer, so this is what is on record"),
  stale_since: z.string().optional().describe("When that was recorded"),
  stale_reason: z.string().optional(),
};
export const viewStale = (stale: Stale | undefined) =>
  stale && { stale: true, stale_since: stale.since, stale_reason: stale.error.message };

/** Looks at a VM; one that is not there has a state without it. @throws DomainError VM_NOT_FOUND */
export async function readOptionsFor(
  context: ToolContext,
  ref: string,
  look: Omit<ObserveOptions, "signal"> = {},
): Promise<Looked> {
  const { backend, store, target, unreachable } = await findVm(context, ref);
  try {
    if (unreachable) throw unreachable;
    const seen = await soon(context, (signal) =>
      observe({ backend, store }, target, { ...look, images: false, signal }),
    );
    const { signal } = context.call.deadline;
    const state = look.images === false ? seen : await withImages(backend, seen, { ...look, signal });
    context.call.observed?.(state);
    return { state, backend };
  } catch (error) {
    context.call.signal.throwIfAborted();
    if (!isSilence(error)) throw error;
    const record = await store.record(target);
    if (!record) throw error;
    return { state: { target, record, disks: {}, isos: {} }, backend, stale: { since: record.updatedAt, error } };
  }
}

/** Looks at a VM that must be there, as far as anybody can tell.
 * @throws DomainError VM_NOT_FOUND, or VM_GONE when there is only a record of it */
export async function readVm(
  context: ToolContext,
  ref: string,
  look?: Omit<ObserveOptions, "signal">,
): Promise<Looked> {
  const looked = await readOptionsFor(context, ref, look);
  if (!looked.state.vm && !looked.stale) throw new DomainError("VM_GONE", { vm: ref });
  return looked;
}

/** Nobody could look: what is on record is all that can be said. */
export const isSilence = (error: unknown): error is DomainError =>
  error instanceof DomainError && (error.code === "BACKEND_UNAVAILABLE" || error.code === "BACKEND_FAILED");
