// Chance with a seed: the same seed makes the same choices, though not the same interleaving of processes.
import fc from "fast-check";

export type Chance = Readonly<{
  seed: number;
  /** Returns true with this probability. */
  of: (probability: number) => boolean;
  /** Returns a number from 0 to `limit`; below() returns a whole one below `limit`. */
  upTo: (limit: number) => number;
  below: (limit: number) => number;
  pick: <T>(from: readonly T[]) => T;
}>;

const DRAWN_AT_ONCE = 4_096;
const RANGE = 2 ** 31;

export function chanceFrom(seed: number): Chance {
  let drawn: number[] = [];
  let times = 0;
  const next = () => {
    if (drawn.length === 0) {
      const numbers = fc.noBias(fc.integer({ min: 0, max: RANGE - 1 }));
      drawn = fc.sample(numbers, { numRuns: DRAWN_AT_ONCE, seed: seed + times++ });
    }
    return drawn.pop()! / RANGE;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    seed,
    of: (probability) => next() < probability,
    upTo: (limit) => Math.round(next() * limit * 10) / 10,
    below,
    pick: (from) => from[below(from.length)]!,
  };
}
