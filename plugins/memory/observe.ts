/** Brings a connection up to date before every read, and again right before every write. */
import { type ApplyContext, DomainError, type Vm } from "../../src/plugin.ts";
import { advance } from "./guest.ts";
import { fingerprintOf, type Machine, type Session } from "./machine.ts";

/** Brings the guests up to the present time, unless the caller has given up.
 * @throws the signal's reason; DomainError BACKEND_UNAVAILABLE */
export function bringUpToDate(session: Session, signal: AbortSignal | undefined): void {
  signal?.throwIfAborted();
  if (session.signal.aborted)
    throw new DomainError("BACKEND_UNAVAILABLE", { connection: session.connection, reason: "it was closed" });
  advance(session);
}

/** The machine that a change is meant for.
 * @throws DomainError VM_CHANGED_MEANWHILE when it is gone or has another definition than expected */
export function machineFor(session: Session, vm: Vm | undefined, { expect, signal }: ApplyContext): Machine {
  if (!vm) throw new TypeError("This change needs a VM");
  bringUpToDate(session, signal);
  const machine = session.machines.get(vm.uuid);
  if (!machine || (expect !== undefined && fingerprintOf(session, machine) !== expect)) {
    throw new DomainError("VM_CHANGED_MEANWHILE", { vm: vm.name });
  }
  return machine;
}
