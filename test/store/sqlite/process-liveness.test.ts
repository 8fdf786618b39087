// @module-tag process
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createProcessLiveness } from "../../../src/store/sqlite/process-liveness.ts";
import { Other, type Runtime, temporaryDirectory } from "../fixture.ts";

const holding = async (directory: string, id: string) => {
  const liveness = createProcessLiveness(directory, id);
  onTestFinished(() => liveness.close());
  await liveness.hold();
  return liveness;
};

test("isAlive() is true of oneself and of whoever holds its file, and false of everybody else", async () => {
  const directory = join(temporaryDirectory(), "holders");
  const first = await holding(directory, "first");
  const second = await holding(directory, "second");
  expect(await Promise.all([first.isAlive("first"), first.isAlive("second"), second.isAlive("first")])).toEqual([
    true,
    true,
    true,
  ]);
  expect(await Promise.all([first.isAlive("third"), first.isAlive("../first"), first.isAlive("")])).toEqual([
    false,
    false,
    false,
  ]);
  await second.close();
  expect(await first.isAlive("second")).toBe(false);
  expect(readdirSync(directory)).toEqual(["first.sqlite"]);
});

// Deno's SQLite waits five seconds for a lock by default, whatever option it is given, and the event loop with it.
test.each<Runtime>(["node", "deno"])("isAlive() tells on %s at once, without waiting for the lock", async (runtime) => {
  const directory = temporaryDirectory();
  await holding(join(directory, "holders"), "first");
  expect(await new Other(runtime, ["alive", directory, "first"]).line()).toBe("alive at once");
});

test("isAlive() removes the file of a dead holder", async () => {
  const directory = temporaryDirectory();
  const liveness = await holding(directory, "first");
  writeFileSync(join(directory, "dead.sqlite"), "");
  expect(await liveness.isAlive("dead")).toBe(false);
  expect(existsSync(join(directory, "dead.sqlite"))).toBe(false);
});

test("hold() sweeps away what dead processes left, and nothing of the living or of those about to live", async () => {
  const directory = temporaryDirectory();
  await holding(directory, "living");
  for (const name of ["dead.sqlite", "old.starting", "new.starting"]) writeFileSync(join(directory, name), "");
  utimesSync(join(directory, "old.starting"), 0, 0);
  const liveness = await holding(directory, "self");
  await liveness.hold();
  expect(readdirSync(directory).sort()).toEqual(["living.sqlite", "new.starting", "self.sqlite"]);
});

test("hold() tells a directory that cannot be written as STORE_UNAVAILABLE", async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "file"), "");
  await expect(createProcessLiveness(join(directory, "file", "holders"), "a").hold()).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
});
