/** The VMs that are to be looked at, with what happened in them meanwhile. */

import type { Occurrence } from "../model/occurrence.ts";
import type { TimedOccurrence } from "../model/vm-diff.ts";
import type { Hint } from "../ports/backend-groups.ts";

/** One reset of a guest makes several events of the hypervisor, and an I/O error may come by the thousand. */
const DEBOUNCE_MS = 500;

/** Why a VM is looked at: what happened, and whether a look at everything found that it differs, so that nobody will tell
 * more of it. */
export type DirtyVm = Readonly<{ occurrences: readonly TimedOccurrence[]; found: boolean }>;

export class DirtyVms {
  readonly #ring: () => void;
  readonly #everyMs: number;
  readonly #last = new Map<string, number>();
  #marked = new Map<string, DirtyVm>();
  #fullAt = 0;

  /** `ring` is called when something is added; everything is due once in `everyMs` without being added. */
  constructor(ring: () => void, everyMs: number) {
    this.#ring = ring;
    this.#everyMs = everyMs;
  }

  add({ uuid, occurrence }: Hint): void {
    if (uuid === undefined) this.#fullAt = 0;
    else this.#put(uuid, { occurrences: this.#news(uuid, occurrence), found: false });
    this.#ring();
  }

  found(uuid: string): void {
    this.#put(uuid, { occurrences: [], found: true });
  }

  /** They have not been looked at after all; what came since then came later. */
  putBack(marks: Iterable<readonly [string, DirtyVm]>): void {
    for (const [uuid, mark] of marks) {
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

  /** How long until everything is due, in milliseconds; not above 0 when it is. */
  untilFull = (): number => this.#fullAt - performance.now();

  /** Everything is being looked at: what is added from now on is due again. */
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
