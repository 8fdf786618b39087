// @module-tag process
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { holderIn } from "../../src/store/holder.ts";
import { Other, type Runtime, temporaryDirectory } from "./fixture.ts";

const holding = (directory: string, id: string) => {
  const holder = holderIn(directory, id);
  onTestFinished(() => holder.close());
  holder.hold();
  return holder;
};

test("isAlive() is true of oneself and of whoever holds its file, and false of everybody else", () => {
  const directory = join(temporaryDirectory(), "holders");
  const first = holding(directory, "first");
  const second = holding(directory, "second");
  expect([first.isAlive("first"), first.isAlive("second"), second.isAlive("first")]).toEqual([true, true, true]);
  expect([first.isAlive("third"), first.isAlive("../first"), first.isAlive("")]).toEqual([false, false, false]);
  second.close();
  expect(first.isAlive("second")).toBe(false);
  expect(readdirSync(directory)).toEqual(["first.sqlite"]);
});

// Deno's SQLite waits five seconds for a lock by default, whatever option it is given, and the event loop with it.
test.each<Runtime>(["node", "deno"])("isAlive() tells on %s at once, without waiting for the lock", async (runtime) => {
  const directory = temporaryDirectory();
  holding(join(directory, "holders"), "first");
  expect(await new Other(runtime, ["alive", directory, "first"]).line()).toBe("alive at once");
});

test("isAlive() removes the file of a dead holder", () => {
  const directory = temporaryDirectory();
  const holder = holding(directory, "first");
  writeFileSync(join(directory, "dead.sqlite"), "");
  expect(holder.isAlive("dead")).toBe(false);
  expect(existsSync(join(directory, "dead.sqlite"))).toBe(false);
});

test("hold() sweeps away what dead processes left, and nothing of the living or of those about to live", () => {
  const directory = temporaryDirectory();
  holding(directory, "living");
  for (const name of ["dead.sqlite", "old.starting", "new.starting"]) writeFileSync(join(directory, name), "");
  utimesSync(join(directory, "old.starting"), 0, 0);
  const holder = holding(directory, "self");
  holder.hold();
  expect(readdirSync(directory).sort()).toEqual(["living.sqlite", "new.starting", "self.sqlite"]);
});

test("hold() tells a directory that cannot be written as STORE_UNAVAILABLE", () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "file"), "");
  expect(() => holderIn(join(directory, "file", "holders"), "a").hold()).toThrow(
    expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
  );
});
