/** Groups of methods that some backends have beside the core. A backend implements a whole group or none of it, and
 * implementing it is the capability.
 *
 * A new group is an interface here, its line in `BackendGroups`, and its row in the plugin host's table of calls. The
 * type that a plugin's author fills in, the binding, the capabilities, the tools' requirements and the docs are made
 * from these. A read takes its signal last, a write its `ApplyContext`. */
import type { Occurrence } from "../model/occurrence.ts";

/** A guest agent's description of its system. `disks` are targets of the VM's own disks, as in its definition. */
export type GuestInfo = Readonly<{
  osId?: string;
  osName?: string;
  filesystems: readonly Readonly<{ mountpoint: string; type: string; disks: readonly string[] }>[];
}>;

/** A running VM's screen, keyboard and mouse: the bytes of its protocol from the first one on, as with a server that
 * needs no password. It ends with the run. A caller ends it by cancelling `readable` and aborting `writable`. */
export type Console = Readonly<{
  kind: "vnc";
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}>;

/** A hint that a VM may have changed; without a UUID, that any VM may have. */
export type Hint = Readonly<{ uuid?: string; occurrence?: Occurrence }>;

/** The screens of VMs. */
export interface Display {
  /** The screen and keyboard of a running VM; undefined when it is off or has none. The signal aborts only the opening.
   * @throws DomainError CONSOLE_UNAVAILABLE when its console cannot be reached */
  console(uuid: string, signal?: AbortSignal): Promise<Console | undefined>;
}

/** The agents in guests. */
export interface GuestAgent {
  /** The guest agent's answer; undefined if no agent answers. */
  info(uuid: string, signal?: AbortSignal): Promise<GuestInfo | undefined>;
}

/** Events of the hypervisor, reported as they happen. */
export interface BackendEvents {
  /** Reports hints. The first one, without a UUID, comes once it listens. Resolves when the signal ends or the
   * connection is lost; events after that are lost. */
  watch(notify: (hint: Hint) => void, signal: AbortSignal): Promise<void>;
}

export interface BackendGroups {
  readonly display: Display;
  readonly guest: GuestAgent;
  readonly events: BackendEvents;
}
export type GroupName = keyof BackendGroups;
