/** The VMs that are to be looked at, with what happened in them meanwhile. */
import type { Hint, Occurrence } from "./port.ts";

/** One reset of a guest makes several events of the hypervisor, and an I/O error may come by the thousand. */
const DEBOUNCE_MS = 500;

/** Something that happened, and when it was told of, in the milliseconds of `performance.now()`. */
export type Marked = Occurrence & Readonly<{ toldMs?: number }>;

export class Marks {
  readonly #ring: () => void;
  readonly #everyMs: number;
  readonly #last = new Map<string, number>();
  #marked = new Map<string, Marked[]>();
  #fullAt = 0;

  /** `ring` is called when something is added; everything is due once in `everyMs` without being added. */
  constructor(ring: () => void, everyMs: number) {
    this.#ring = ring;
    this.#everyMs = everyMs;
  }

  add({ uuid, occurrence }: Hint): void {
    if (uuid === undefined) this.#fullAt = 0;
    else
      this.mark(
        uuid,
        occurrence && this.#isFirst(uuid, occurrence) ? [{ ...occurrence, toldMs: performance.now() }] : [],
      );
    this.#ring();
  }

  mark(uuid: string, occurrences: readonly Marked[] = []): void {
    this.#marked.set(uuid, [...(this.#marked.get(uuid) ?? []), ...occurrences]);
  }

  /** They have not been looked at after all; what came since then came later. */
  putBack(marks: Iterable<readonly [string, readonly Marked[]]>): void {
    for (const [uuid, occurrences] of marks)
      this.#marked.set(uuid, [...occurrences, ...(this.#marked.get(uuid) ?? [])]);
  }

  take(): Map<string, Marked[]> {
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
