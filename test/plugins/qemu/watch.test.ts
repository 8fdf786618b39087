import { appendFile, chmod, mkdir, utimes, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newDefinition, writtenDefinition } from "../../../plugins/qemu/definition.ts";
import { type Watcher, watcherOf } from "../../support/watcher.ts";
import { vmSpec } from "../../support/world.ts";
import { openQemuHarness, type QemuHarness } from "./harness.ts";

const run = "6f9f6a3e-3b0e-4f5c-9d0e-2b1f0f0d7a11";
const line = (event: string, data: object) =>
  `${JSON.stringify({ timestamp: { seconds: 1_700_000_000, microseconds: 0 }, event, data })}\r\n`;
const reset = line("RESET", { guest: true, reason: "guest-reset" });
const failure = line("BLOCK_IO_ERROR", { "node-name": "disk-vda", nospace: true });
const rebooted = { type: "rebooted", run };
const failed = { type: "io_error", run, target: "vda", reason: "enospc" };

let testbed: QemuHarness;
let watcher: Watcher | undefined;
beforeEach(async () => {
  testbed = await openQemuHarness();
});
afterEach(async () => {
  await watcher?.stop();
  await testbed.close();
});

/** What a run leaves, of a VM that is not on. */
async function aVm(log: string) {
  const definition = newDefinition(vmSpec(), "tcg");
  const place = testbed.session.pathsOf(definition.uuid);
  await mkdir(place.run, { recursive: true });
  const text = writtenDefinition(definition);
  await writeFile(place.started, JSON.stringify({ run, definition: JSON.parse(text) }));
  await writeFile(place.eventLog, log);
  await writeFile(place.definition, text);
  return { uuid: definition.uuid, ...place };
}
/** Waits for this many occurrences, and returns all that came. */
async function occurrences(count: number) {
  const received = () => watcher!.hints.flatMap(({ occurrence }) => occurrence ?? []);
  await watcher!.waitForHint(() => received().length >= count);
  return received();
}

describe("watchVms()", () => {
  it("tells of a reset that comes, and of none from before it began", async () => {
    const { eventLog } = await aVm(failure);
    watcher = await watcherOf(testbed.backend);
    await appendFile(eventLog, reset);
    expect(await occurrences(1)).toEqual([rebooted]);
  });

  it("tells nothing again when somebody touches the VM's folder", async () => {
    const { uuid, home, eventLog } = await aVm(reset);
    watcher = await watcherOf(testbed.backend);
    await watcher.hintOf(uuid, () => chmod(home, 0o750));
    await watcher.hintOf(uuid, () => utimes(home, 1, 1));
    await appendFile(eventLog, failure);
    expect(await occurrences(1)).toEqual([failed]);
  });

  it("tells of a VM that comes later all that QEMU says of it", async () => {
    await mkdir(testbed.session.directory, { recursive: true });
    watcher = await watcherOf(testbed.backend);
    await aVm(reset + failure);
    expect(await occurrences(2)).toEqual([rebooted, failed]);
  });
});
