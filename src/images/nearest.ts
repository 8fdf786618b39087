/** Orders names by how near they are to what somebody typed. */

/** Levenshtein distance without regard to case; only the first 80 characters count, so that its cost is bounded. */
export function distance(a: string, b: string): number {
  const [left, right] = [a.toLowerCase().slice(0, 80), b.toLowerCase().slice(0, 80)];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const swap = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}

/** Names that contain the wanted text come first, then by distance, then by name. */
export function nearest(wanted: string, names: readonly string[], countMax: number): string[] {
  const text = wanted.toLowerCase().replace(/\.iso$/, "");
  return names
    .map((name) => ({ name, rank: text && name.toLowerCase().includes(text) ? -1 : distance(wanted, name) }))
    .sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1))
    .slice(0, countMax)
    .map(({ name }) => name);
}
