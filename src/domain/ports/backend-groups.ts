/** What some backends have beside the core. A group is there whole or not at all, and having it is the capability.
 *
 * A new group is an interface here, its line in `BackendGroups`, and its row in the plugin host's table of calls. The type
 * that a plugin's author fills in, the binding, the capabilities, what tools may need and the docs are made from these.
 * A look has its signal last, a write its `ApplyContext`. */
import type { Occurrence } from "../model/occurrence.ts";

/** What a guest's agent says of its system. `disks` are targets of the VM's own disks, as in its definition. */
export type GuestInfo = Readonly<{
  osId?: string;
  osName?: string;
  filesystems: readonly Readonly<{ mountpoint: string; type: string; disks: readonly string[] }>[];
}>;

/** A running VM's screen, keyboard and mouse: the bytes of its protocol from the first one on, as to a server that wants
 * no password. It ends with the run; who no longer wants it cancels the one and aborts the other. */
export type Console = Readonly<{
  kind: "vnc";
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}>;

/** That a VM is worth a look; without a UUID, that all of them are. */
export type Hint = Readonly<{ uuid?: string; occurrence?: Occurrence }>;

/** The screens of VMs. */
export interface Display {
  /** The screen and keyboard of a running VM; undefined where it is off or has none. The signal ends the opening, not what
   * was opened.
   * @throws DomainError CONSOLE_UNAVAILABLE where there is one that cannot be reached */
  console(uuid: string, signal?: AbortSignal): Promise<Console | undefined>;
}

/** The agents in guests. */
export interface GuestAgent {
  /** What the guest's agent says; undefined where none answers. */
  info(uuid: string, signal?: AbortSignal): Promise<GuestInfo | undefined>;
}

/** What happens, told as it happens. */
export interface BackendEvents {
  /** Tells what is worth a look, the first time of all VMs once it listens. Ends with the signal, and when the connection
   * is lost: what happened meanwhile nobody tells. */
  watch(notify: (hint: Hint) => void, signal: AbortSignal): Promise<void>;
}

export interface BackendGroups {
  readonly display: Display;
  readonly guest: GuestAgent;
  readonly events: BackendEvents;
}
export type GroupName = keyof BackendGroups;
