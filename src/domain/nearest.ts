/** The known names, nearest to what was typed first, so that a refusal can be mended without another call. */

const KNOWN_MAX = 20;

export function nearestFirst(typed: string, known: readonly string[], most = KNOWN_MAX): string[] {
  const wanted = typed.toLowerCase();
  return [...new Set(known)]
    .map((name) => ({ name, distance: distanceBetween(wanted, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
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
