/** Looking at one VM, for the tools that only read. Where its hypervisor does not answer they say what is on record, and
 * that it is no more than that. */
import { z } from "zod";
import { type ObserveOptions, observe, withImages } from "../domain/engine/observe.ts";
import { DomainError } from "../domain/error.ts";
import type { State } from "../domain/model/state.ts";
import type { Backend } from "../domain/ports/backend.ts";
import { findVm, withReadTimeout } from "./find-vm.ts";
import type { ToolContext } from "./tool.ts";

/** Why a state is only what the record remembers, and how old that is. */
export type Stale = Readonly<{ since: string; error: Error }>;
/** Without its VM, the state has a record. */
export type VmReading = Readonly<{ state: State; backend: Backend; stale?: Stale }>;

export const StaleView = {
  stale: z.boolean().optional().describe("Its connection did not answer, so this is what is on record"),
  stale_since: z.string().optional().describe("When that was recorded"),
  stale_reason: z.string().optional(),
};
export const viewStale = (stale: Stale | undefined) =>
  stale && { stale: true, stale_since: stale.since, stale_reason: stale.error.message };

/** Looks at a VM; one that is not there has a state without it. @throws DomainError VM_NOT_FOUND */
export async function readVmOrRecord(
  context: ToolContext,
  ref: string,
  options: Omit<ObserveOptions, "signal"> = {},
): Promise<VmReading> {
  const { backend, store, target, unreachable } = await findVm(context, ref);
  try {
    if (unreachable) throw unreachable;
    const seen = await withReadTimeout(context, (signal) =>
      observe({ backend, store }, target, { ...options, images: false, signal }),
    );
    const { signal } = context.call.deadline;
    const state = options.images === false ? seen : await withImages(backend, seen, { ...options, signal });
    context.call.observed?.(state);
    return { state, backend };
  } catch (error) {
    context.call.signal.throwIfAborted();
    if (!isUnreachable(error)) throw error;
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
  options?: Omit<ObserveOptions, "signal">,
): Promise<VmReading> {
  const reading = await readVmOrRecord(context, ref, options);
  if (!reading.state.vm && !reading.stale) throw new DomainError("VM_GONE", { vm: ref });
  return reading;
}

/** Nobody could look: what is on record is all that can be said. */
export const isUnreachable = (error: unknown): error is DomainError =>
  error instanceof DomainError && (error.code === "BACKEND_UNAVAILABLE" || error.code === "BACKEND_FAILED");
