/** The VMs that have to be observed, with the occurrences since they were marked. */

import type { Occurrence } from "../model/occurrence.ts";
import type { TimedOccurrence } from "../model/vm-diff.ts";
import type { Hint } from "../ports/backend-groups.ts";

/** One reset of a guest causes several events of the hypervisor, and I/O errors may come by the thousand. */
const DEBOUNCE_MS = 500;

/** Why a VM is observed: its occurrences, and whether a list of all VMs found it different, so that no event explains
 * it. */
export type DirtyVm = Readonly<{ occurrences: readonly TimedOccurrence[]; found: boolean }>;

export class DirtyVms {
  readonly #notify: () => void;
  readonly #everyMs: number;
  readonly #last = new Map<string, number>();
  #marked = new Map<string, DirtyVm>();
  #fullAt = 0;

  /** Calls `notify` at each addition. All VMs are due every `everyMs` milliseconds without an addition. */
  constructor(notify: () => void, everyMs: number) {
    this.#notify = notify;
    this.#everyMs = everyMs;
  }

  add({ uuid, occurrence }: Hint): void {
    if (uuid === undefined) this.#fullAt = 0;
    else this.#put(uuid, { occurrences: this.#news(uuid, occurrence), found: false });
    this.#notify();
  }

  found(uuid: string): void {
    this.#put(uuid, { occurrences: [], found: true });
  }

  /** Puts entries back that were not observed after all, before the occurrences that came since. */
  putBack(entries: Iterable<readonly [string, DirtyVm]>): void {
    for (const [uuid, mark] of entries) {
      const later = this.#marked.get(uuid);
      this.#marked.set(uuid, mark);
      if (later) this.#put(uuid, later);
    }
  }

  take(): Map<string, DirtyVm> {
    const taken = this.#marked;
    this.#marked = new Map();
    return taken;
  }

  /** Milliseconds until all VMs are due; 0 or less when they are. */
  untilFull = (): number => this.#fullAt - performance.now();

  /** Notes that a list of all VMs begins: additions from now on are due again. */
  takeFull(): void {
    this.#fullAt = performance.now() + this.#everyMs;
  }

  putBackFull(): void {
    this.#fullAt = 0;
  }

  #put(uuid: string, { occurrences, found }: DirtyVm): void {
    const before = this.#marked.get(uuid);
    this.#marked.set(uuid, {
      occurrences: [...(before?.occurrences ?? []), ...occurrences],
      found: found || (before?.found ?? false),
    });
  }

  #news(uuid: string, occurrence: Occurrence | undefined): TimedOccurrence[] {
    if (!occurrence || !this.#isFirst(uuid, occurrence)) return [];
    return [{ ...occurrence, reportedMs: performance.now() }];
  }

  #isFirst(uuid: string, occurrence: Occurrence): boolean {
    const { type, run } = occurrence;
    const key = JSON.stringify([uuid, type, run, "target" in occurrence ? occurrence.target : ""]);
    const now = performance.now();
    for (const [old, at] of this.#last) if (now - at > DEBOUNCE_MS) this.#last.delete(old);
    if (this.#last.has(key)) return false;
    this.#last.set(key, now);
    return true;
  }
}
