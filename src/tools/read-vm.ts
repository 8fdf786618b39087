/** Reads one VM, for the tools that only read. If its hypervisor does not answer, they answer from the record, marked as
 * stale. */
import { z } from "zod";
import { type ObserveOptions, observe, withImages } from "../domain/engine/observe.ts";
import { DomainError } from "../domain/error.ts";
import type { State } from "../domain/model/state.ts";
import type { Backend } from "../domain/ports/backend.ts";
import { findVm, withReadTimeout } from "./find-vm.ts";
import type { ToolContext } from "./tool.ts";

/** Why a state is from the record alone, and since when the record is so. */
export type Stale = Readonly<{ since: string; error: Error }>;
/** The state has a VM, a record, or both. */
export type VmReading = Readonly<{ state: State; backend: Backend; stale?: Stale }>;

export const StaleView = {
  stale: z.boolean().optional().describe("The connection did not answer: this is from the record"),
  stale_since: z.string().optional().describe("When it was recorded"),
  stale_reason: z.string().optional(),
};
export const viewStale = (stale: Stale | undefined) =>
  stale && { stale: true, stale_since: stale.since, stale_reason: stale.error.message };

/** Reads a VM. If only its record is left, the state has no VM. @throws DomainError VM_NOT_FOUND */
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

/** Reads a VM that must exist, unless its connection does not answer.
 * @throws DomainError VM_NOT_FOUND, or VM_GONE if only its record is left */
export async function readVm(
  context: ToolContext,
  ref: string,
  options?: Omit<ObserveOptions, "signal">,
): Promise<VmReading> {
  const reading = await readVmOrRecord(context, ref, options);
  if (!reading.state.vm && !reading.stale) throw new DomainError("VM_GONE", { vm: ref });
  return reading;
}

/** Whether the hypervisor did not answer, so that only the record is known. */
export const isUnreachable = (error: unknown): error is DomainError =>
  error instanceof DomainError && (error.code === "BACKEND_UNAVAILABLE" || error.code === "BACKEND_FAILED");
