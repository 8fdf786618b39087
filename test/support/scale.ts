/** How much the tests of test/reliability and the boot matrix do, and what they measured. CI has the time for a short run
 * of each; the full run is `npm run reliability`, and docs/reliability.md holds its figures. */
import { appendFileSync } from "node:fs";

/** Returns the full run's number where that was asked for, else CI's. */
export const scaled = (full: number, inCi: number): number =>
  process.env.BOOTWRIGHT_RELIABILITY === "full" ? full : inCi;

/** Writes a figure, `kills`, `300` say, as a line on stdout, and as one in the file in which the full run collects them. */
export function figure(name: string, value: string | number): void {
  console.log(`figure: ${name}: ${value}`);
  const file = process.env.BOOTWRIGHT_FIGURES;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ name, value })}\n`);
}
