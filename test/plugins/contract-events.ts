/** What a backend tells as it happens. */
import { afterEach, expect } from "vitest";
import { type Watcher, watcherOf } from "../support/watcher.ts";
import { type GroupTest, type Harness, start } from "./contract-harness.ts";

const cut = { kind: "power.stop", force: true, timeoutMs: 0 } as const;

export function eventsContract(test: GroupTest<"events">): void {
  const watchers: Watcher[] = [];
  const watch = async ({ backend }: Harness) => {
    const watcher = await watcherOf(backend);
    watchers.push(watcher);
    return watcher;
  };
  afterEach(async () => {
    for (const watcher of watchers.splice(0)) await watcher.stop();
  });

  test("watch() tells of all VMs first", async (harness) => {
    expect((await watch(harness)).hints[0]).toEqual({});
  });
  test("watch() tells of a VM that is made, started, stopped and removed", async (harness) => {
    const watcher = await watch(harness);
    const spec = harness.newSpec({ isoPath: harness.isos.bootable });
    let now = await harness.prepare(spec);
    const apply = (change: Parameters<Harness["apply"]>[1]) =>
      watcher.hintOf(spec.uuid, async () => {
        now = await harness.apply(now, change);
      });
    await apply({ kind: "vm.create", spec, ownedFiles: [], at: new Date().toISOString() });
    await apply(start);
    await apply(cut);
    await apply({ kind: "vm.delete" });
  });
  test("watch() tells of an edit by another program", async (harness) => {
    const { editElsewhere } = harness;
    if (!editElsewhere)
      throw new Error("open() gives no editElsewhere: put this test on the skip list, with the reason");
    const watcher = await watch(harness);
    const { target } = await harness.make();
    await watcher.hintOf(target.uuid, () => editElsewhere(target.uuid));
  });
  test("watch() tells that a guest has reset itself, and in which run", async (harness) => {
    const { guestResets, isos } = harness;
    if (!guestResets) throw new Error("open() gives no guestResets: put this test on the skip list, with the reason");
    const watcher = await watch(harness);
    const { target, vm } = await harness.make({ isoPath: isos.resets ?? isos.bootable }, true);
    await guestResets(target.uuid);
    const heard = await watcher.waitForHint(({ uuid, occurrence }) => uuid === target.uuid && occurrence !== undefined);
    expect(heard.occurrence).toEqual({ type: "rebooted", run: vm!.run });
    expect((await harness.look(target.uuid)).vm!.run).toBe(vm!.run);
  });
  test("watch() ends with its signal, and at once with one that is aborted", async (harness, events) => {
    const watcher = await watch(harness);
    await watcher.stop();
    const heard: unknown[] = [];
    await events.watch((hint) => heard.push(hint), AbortSignal.abort());
    expect(heard).toEqual([]);
  });
  test("two watchers are told the same, and one of them may end", async (harness) => {
    const [one, other] = [await watch(harness), await watch(harness)];
    const made = await harness.make();
    const { uuid } = made.target;
    await Promise.all([one, other].map((watcher) => watcher.waitForHint((hint) => hint.uuid === uuid)));
    await one.stop();
    await other.hintOf(uuid, () => harness.apply(made, start));
  });
}
