// Times of several subjects, taken in turns: what the machine does meanwhile falls on all of them alike.

/** Does its work once and says how long that took, in milliseconds. */
export type Subject = () => Promise<number>;
export type Times = Readonly<{ median: number; low: number; high: number; p99: number; runs: number }>;

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export async function inTurns<Name extends string>(
  rounds: number,
  subjects: Readonly<Record<Name, Subject>>,
  warmUps = 3,
): Promise<Record<Name, Times>> {
  const names = Object.keys(subjects) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmUps; round < rounds; round++) {
    // Whoever comes after the same neighbour every time would inherit its garbage.
    const shift = (round + warmUps) % names.length;
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
      const ms = await subjects[name]();
      if (round >= 0) times[name].push(ms);
    }
  }
  return Object.fromEntries(names.map((name) => [name, timesOf(times[name])])) as Record<Name, Times>;
}

/** The median, and what 80 % of the runs lie between. */
export function timesOf(all: readonly number[]): Times {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))]!;
  return { median: at(0.5), low: at(0.1), high: at(0.9), p99: at(0.99), runs: sorted.length };
}

const number = (ms: number) => ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
export const inWords = ({ median, low, high }: Times) => `${number(median)} (${number(low)}–${number(high)})`;

export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    );
  }
}
