/** Known names, sorted by nearness to the input, so that a refusal can be corrected without another call. */

const KNOWN_MAX = 20;
/** Bounds the cost of a comparison, since the input may be of any length. */
const COMPARED_MAX = 80;

/** Exact matches first, then names that contain the input, then by edit distance; case is ignored. */
export function nearestFirst(typed: string, known: readonly string[], most = KNOWN_MAX): string[] {
  const wanted = typed.toLowerCase().slice(0, COMPARED_MAX);
  const rank = (name: string) => {
    if (name === wanted) return -2;
    return wanted !== "" && name.includes(wanted) ? -1 : distanceBetween(wanted, name.slice(0, COMPARED_MAX));
  };
  return [...new Set(known)]
    .map((name) => ({ name, rank: rank(name.toLowerCase()) }))
    .sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map(({ name }) => name);
}

/** Levenshtein's edit distance, in one row. */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
