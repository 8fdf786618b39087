// @module-tag process
import { expect, test } from "vitest";
import { Other, open, temporaryDirectory } from "./fixture.ts";

test("A lease is one process's until it closes, and then the next one's", async () => {
  const directory = temporaryDirectory();
  const [one, two] = [await open(directory), await open(directory)];
  expect(await one.lease("watch:local")).toBe(true);
  expect(await one.lease("watch:local")).toBe(true);
  expect(await two.lease("watch:local")).toBe(false);
  expect(await two.lease("watch:other")).toBe(true);
  await one.close();
  expect(await two.lease("watch:local")).toBe(true);
  expect(await two.lease("watch:other")).toBe(true);
});

test("The lease of a process that was killed is taken over, and that of one that lives is not", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const other = new Other("node", ["lease", directory, "deliver:webhook"]);
  expect(await other.line()).toBe("leased");
  expect(await store.lease("deliver:webhook")).toBe(false);
  await other.kill();
  expect(await store.lease("deliver:webhook")).toBe(true);
});
