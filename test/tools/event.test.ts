// @module-tag process
import { describe, expect, it } from "vitest";
import { foreign, openHarness, seedOf } from "./harness.ts";

const { call, refused } = openHarness({ local: seedOf(foreign(1, "web")) });

describe("list_events", () => {
  it("tells what happened, newest first, of one VM or all, by type and in pages", async () => {
    const { vm } = await call("create_vm", { name: "new" });
    await call("adopt_vm", { vm: "web" });
    await call("set_boot_order", { vm: "new", boot_order: "hd_cdrom" });
    const { events } = await call("list_events", { vm: "new" });
    expect(events.map(({ type }) => type)).toEqual(["boot_order.changed", "vm.created"]);
    expect(events[1]).toMatchObject({ vm: vm.uuid, source: "bootwright/local", data: { name: "new" } });
    const { events: adopted } = await call("list_events", { type: ["vm.adopted"] });
    expect(adopted.map(({ data }) => data.name)).toEqual(["web"]);
    const [newest, ...rest] = (await call("list_events", {})).events;
    expect((await call("list_events", { before: newest!.place, limit: 2 })).events).toEqual(rest.slice(0, 2));
  });

  it("refuses a type that there is not, and a VM that there is not", async () => {
    await refused("INPUT_INVALID", "list_events", { type: ["vm.exploded"] });
    await refused("VM_NOT_FOUND", "list_events", { vm: "nothing" });
  });
});

describe("list_dead_letters", () => {
  it("is empty where everybody took everything", async () => {
    expect(await call("list_dead_letters")).toEqual({ subscribers: [], dead_letters: [] });
    expect(await call("list_dead_letters", { waiting: true })).toEqual({ subscribers: [], dead_letters: [] });
  });
});

describe("redeliver_event", () => {
  it("refuses a subscriber that there is not", async () => {
    const [{ id } = expect.unreachable()] = (await call("list_events")).events;
    await refused("SUBSCRIBER_NOT_FOUND", "redeliver_event", { event: id, subscriber: "webhook" });
  });
});
