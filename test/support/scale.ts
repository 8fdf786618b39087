/** How much the tests of test/reliability and the boot matrix do, and what they measured. CI has the time for a short run
 * of each; the full run is `npm run reliability`, and docs/reliability.md holds its figures. */
import { appendFileSync } from "node:fs";

/** The full run's number where the full run was asked for, else CI's. */
export const scaled = (full: number, inCi: number): number =>
  process.env.BOOTWRIGHT_RELIABILITY === "full" ? full : inCi;

/** Tells a figure: `kills`, `300`. One line on stdout, and one in the file that the full run collects them in. */
export function figure(name: string, value: string | number): void {
  console.log(`figure: ${name}: ${value}`);
  const file = process.env.BOOTWRIGHT_FIGURES;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ name, value })}\n`);
}
