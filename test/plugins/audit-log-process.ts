// A process that writes lines into a trail as fast as it can: `node audit-log-process.ts DIRECTORY MAX_BYTES NAME COUNT`.
// The first line of its output says that it is about to begin; it begins when its input ends.

import { openTrail } from "../../plugins/audit-log/trail.ts";

const [directory, maxBytes, name, count] = process.argv.slice(2) as [string, string, string, string];
const trail = openTrail({ directory, maxBytes: Number(maxBytes), keep: 1_000 });
console.log("ready");
for await (const _ of process.stdin);
let written = 0;
for (let index = 0; index < Number(count); index++) {
  // Ids of its own, and ids that every process is told of.
  const own = `${name}:${index}`;
  const line = (id: string) => JSON.stringify({ id, filling: "x".repeat(index % 700) });
  if (trail.append(own, line(own))) written++;
}
trail.close();
console.log(written);
