// Goal: what a call of a tool costs does not grow with the number of VMs, and does not grow unnoticed. Method: a real
// daemon of the test's own with hundreds of definitions, the calls to it counted on the wire, and the commits in SQLite's
// log. What it cannot see: how long anything takes; `npm run bench` has that.

import { chmod, mkdtemp, rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cost, type Counted, type Counter, costsMax, countedTools, openCounter } from "../../bench/calls.ts";
import { canBeSystem, type PrivateDaemon, startDaemon } from "../plugins/libvirt/client/private-daemon.ts";

const MANY = 200;

describe.skipIf(!canBeSystem)("the cost of one call", () => {
  let daemon: PrivateDaemon;
  let directory: string;
  let counter: Counter;
  const costs = async () => {
    const found: Partial<Record<Counted, Cost>> = {};
    for (const tool of countedTools) found[tool] = await counter.costOf(tool);
    return found;
  };
  beforeAll(async () => {
    directory = await mkdtemp("/var/tmp/bw-calls-");
    await chmod(directory, 0o755);
    daemon = await startDaemon({ system: true });
    counter = await openCounter(daemon, directory);
  });
  afterAll(async () => {
    await counter?.close();
    await daemon?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test(`is the same with ${MANY} VMs as with one, and no more than it may be`, async () => {
    await counter.fill(1);
    const alone = await costs();
    await counter.fill(MANY);
    expect(await costs()).toEqual(alone);
    for (const tool of countedTools) {
      expect(alone[tool]!.calls, tool).toBeLessThanOrEqual(costsMax[tool].calls);
      expect(alone[tool]!.commits, tool).toBeLessThanOrEqual(costsMax[tool].commits);
    }
  });
});
