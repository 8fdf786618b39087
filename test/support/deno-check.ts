/** The tests of a script that Deno runs: one line for each, as scripts/test.ts counts them. */

let failed = false;

export async function check(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    console.log(`ok ${name}`);
  } catch (error) {
    failed = true;
    console.log(`not ok ${name}: ${error instanceof Error ? error.message : error}`);
  }
}

export function expectEqual(seen: unknown, expected: unknown): void {
  if (JSON.stringify(seen) !== JSON.stringify(expected))
    throw new Error(`expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}`);
}

/** Returns whether any check has failed. */
export const hasFailed = (): boolean => failed;
