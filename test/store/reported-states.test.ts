// @module-tag process
import { expect, test } from "vitest";
import type { ReportedState } from "../../src/domain/model/reported-state.ts";
import { asking, event, Other, open, operation, run, target, temporaryDirectory } from "./fixture.ts";

const seen: ReportedState = {
  ...target,
  name: "web",
  power: "running",
  run: "run-1",
  fingerprint: "f",
  ejected: [],
  media: {},
  lowSpace: [],
  agent: false,
  reboots: 0,
};

test("report() writes what was seen and its events together, once for each revision", async () => {
  const store = await open(temporaryDirectory());
  expect(await store.reportedState(target)).toBeUndefined();
  expect(await store.report(target, undefined, seen, [event("a", "vm.started")])).toBe("reported");
  expect(await store.report(target, undefined, seen, [event("b")])).toBe("stale");
  expect(await store.reportedState(target)).toEqual({ reportedState: seen, revision: 1 });
  expect(await store.report(target, 1, { ...seen, reboots: 2 }, [event("c")])).toBe("reported");
  expect((await store.reportedStates("local")).map(({ revision }) => revision)).toEqual([2]);
  expect(await store.reportedStates("other")).toEqual([]);
  expect(await store.report(target, 2, null, [])).toBe("reported");
  expect(await store.reportedState(target)).toBeUndefined();
  expect((await store.events()).map(({ event: { id } }) => id)).toEqual(["a", "c"]);
});

test("report() writes nothing while an operation holds the VM, or is left open by a dead process", async () => {
  const store = await open(temporaryDirectory());
  const claim = await store.claim(target, asking, 0);
  expect(await store.report(target, undefined, seen, [event("a")])).toBe("held");
  await claim.release();
  await store.begin(operation("left"));
  expect(await store.report(target, undefined, seen, [event("a")])).toBe("held");
  await store.settle("left", { status: "rolled_back", steps: [], events: [] });
  expect(await store.report(target, undefined, seen, [event("a")])).toBe("reported");
});

test("report() is not kept from writing by what a dead process held", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const other = new Other("node", ["report", directory, target.uuid]);
  expect(await other.line()).toBe("ready");
  expect(await store.report(target, undefined, seen, [event("a")])).toBe("held");
  await other.kill();
  expect(await store.report(target, undefined, seen, [event("a")])).toBe("reported");
});

test("settle() writes what the operation leaves, given what was told, and the events of that before its own", async () => {
  const store = await open(temporaryDirectory());
  const given: unknown[] = [];
  const leaving = (reportedState: ReportedState | null, ...ids: string[]) => ({
    reports: (reported: ReportedState | undefined) => {
      given.push(reported?.fingerprint);
      return { reportedState, events: ids.map((id) => event(id)) };
    },
  });
  await run(store, { id: "first" }, { ...leaving(seen, "found"), events: [event("own")] });
  await run(store, { id: "second" }, leaving({ ...seen, fingerprint: "g" }));
  expect((await store.reportedState(target))?.reportedState.fingerprint).toBe("g");
  await run(store, { id: "unknown-to-it" });
  expect((await store.reportedState(target))?.revision).toBe(2);
  await run(store, { id: "deleted" }, leaving(null));
  expect(await store.reportedState(target)).toBeUndefined();
  expect(given).toEqual([undefined, "f", "g"]);
  expect((await store.events()).map(({ event: { id } }) => id).slice(0, 2)).toEqual(["found", "own"]);
});

test("note() writes an event of no operation, once, also while one holds the VM", async () => {
  const store = await open(temporaryDirectory());
  await store.claim(target, asking, 0);
  await store.note(event("a", "console.opened"));
  await store.note(event("a", "console.opened"));
  expect((await store.events()).map(({ event: { id, type } }) => [id, type])).toEqual([["a", "console.opened"]]);
});

test("beginSightings() writes what nothing was on record of, and nothing else", async () => {
  const store = await open(temporaryDirectory());
  await store.report(target, undefined, { ...seen, reboots: 2 }, []);
  const others = Array.from({ length: 250 }, (_, index) => ({ ...seen, uuid: `other-${index}` }));
  expect(await store.isWatched("local")).toBe(false);
  await store.initReportedStates("local", [seen, ...others]);
  expect([await store.isWatched("local"), await store.isWatched("lab")]).toEqual([true, false]);
  expect(await store.reportedStates("local")).toHaveLength(251);
  expect((await store.reportedState(target))?.reportedState.reboots).toBe(2);
  expect(await store.events()).toEqual([]);
});
