import { expect, test } from "vitest";
import type { Sighting } from "../../src/domain/sighting.ts";
import { asking, event, open, operation, run, target, temporaryDirectory } from "./fixture.ts";

const seen: Sighting = {
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

test("tell() writes what was seen and its events together, once for each revision", async () => {
  const store = await open(temporaryDirectory());
  expect(await store.sighting(target)).toBeUndefined();
  expect(await store.tell(target, undefined, seen, [event("a", "vm.started")])).toBe("told");
  expect(await store.tell(target, undefined, seen, [event("b")])).toBe("stale");
  expect(await store.sighting(target)).toEqual({ sighting: seen, revision: 1 });
  expect(await store.tell(target, 1, { ...seen, reboots: 2 }, [event("c")])).toBe("told");
  expect((await store.sightings("local")).map(({ revision }) => revision)).toEqual([2]);
  expect(await store.sightings("other")).toEqual([]);
  expect(await store.tell(target, 2, null, [])).toBe("told");
  expect(await store.sighting(target)).toBeUndefined();
  expect((await store.events()).map(({ event: { id } }) => id)).toEqual(["a", "c"]);
});

test("tell() writes nothing while an operation holds the VM, or is left open by a dead process", async () => {
  const store = await open(temporaryDirectory());
  const claim = await store.claim(target, asking, 0);
  expect(await store.tell(target, undefined, seen, [event("a")])).toBe("held");
  await claim.release();
  await store.begin(operation("left"));
  expect(await store.tell(target, undefined, seen, [event("a")])).toBe("held");
  await store.settle("left", { status: "rolled_back", steps: [], events: [] });
  expect(await store.tell(target, undefined, seen, [event("a")])).toBe("told");
});

test("settle() writes what the operation saw, and keeps what is known of resets within one run", async () => {
  const store = await open(temporaryDirectory());
  await store.tell(target, undefined, { ...seen, reboots: 3, readAtReset: { vda: 5 }, lowSpace: ["vda"] }, []);
  await run(store, { id: "same-run" }, { sighting: { ...seen, fingerprint: "g" } });
  expect((await store.sighting(target))?.sighting).toMatchObject({
    fingerprint: "g",
    reboots: 3,
    readAtReset: { vda: 5 },
    lowSpace: ["vda"],
  });
  await run(store, { id: "next-run" }, { sighting: { ...seen, run: "run-2" } });
  expect((await store.sighting(target))?.sighting.reboots).toBe(0);
  expect((await store.sighting(target))?.sighting).not.toHaveProperty("readAtReset");
  await run(store, { id: "unknown-to-it" });
  expect((await store.sighting(target))?.revision).toBe(3);
  await run(store, { id: "deleted" }, { sighting: null });
  expect(await store.sighting(target)).toBeUndefined();
});

test("settle() takes nothing for told that the guest did while the operation was at it", async () => {
  const store = await open(temporaryDirectory());
  await store.tell(target, undefined, { ...seen, ejected: ["sda"] }, []);
  await run(store, { id: "meanwhile" }, { sighting: { ...seen, agent: true, ejected: ["sda", "sdb"] } });
  expect((await store.sighting(target))?.sighting).toMatchObject({ agent: false, ejected: ["sda"] });
  await store.tell(target, 2, { ...seen, agent: true }, []);
  await run(store, { id: "after" }, { sighting: { ...seen, agent: true } });
  expect((await store.sighting(target))?.sighting).toMatchObject({ agent: true, ejected: [] });
  await run(store, { id: "next-run" }, { sighting: { ...seen, run: "run-2", agent: true } });
  expect((await store.sighting(target))?.sighting.agent).toBe(false);
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
  await store.tell(target, undefined, { ...seen, reboots: 2 }, []);
  const others = Array.from({ length: 250 }, (_, index) => ({ ...seen, uuid: `other-${index}` }));
  await store.beginSightings([seen, ...others]);
  expect(await store.sightings("local")).toHaveLength(251);
  expect((await store.sighting(target))?.sighting.reboots).toBe(2);
  expect(await store.events()).toEqual([]);
});
