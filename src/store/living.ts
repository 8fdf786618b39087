/** The living holders of these rows. */
import type { Liveness } from "./ports.ts";

export async function livingOf(
  liveness: Liveness,
  rows: readonly Readonly<{ holder: string }>[],
): Promise<Set<string>> {
  const holders = [...new Set(rows.map(({ holder }) => holder))];
  const alive = await Promise.all(holders.map((id) => liveness.isAlive(id)));
  return new Set(holders.filter((_, place) => alive[place]));
}
