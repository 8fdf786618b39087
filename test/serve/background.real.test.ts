import { afterAll, beforeAll, expect, test } from "vitest";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { openTestbed, type Testbed, type TestbedVm, watched } from "../support/vm.ts";

let testbed: Testbed;
let vm: TestbedVm;
let second: BootwrightClient | undefined;

beforeAll(async () => {
  testbed = await openTestbed();
  vm = await testbed.installed("events", { boot_order: "hd" });
  await watched(testbed);
});
afterAll(async () => {
  await second?.close();
  await testbed.close();
});

type ReportedEvent = [string, Record<string, unknown>];

/** The events of the VM behind the first so many, oldest first. */
const eventsAfter = async (
  count: number,
  server: Pick<BootwrightClient, "call"> = testbed,
): Promise<ReportedEvent[]> => {
  const { events } = await server.call("list_events", { vm: vm.uuid, limit: 100 });
  return events
    .reverse()
    .slice(count)
    .map(({ type, data }) => [type, data]);
};
const countNow = async () => (await eventsAfter(0)).length;

/** Does something behind Bootwright's back, and waits for exactly these events. */
async function expectReported(work: () => Promise<unknown>, expected: [string, object][]): Promise<void> {
  const before = await countNow();
  await work();
  await expect.poll(async () => (await eventsAfter(before)).length).toBeGreaterThanOrEqual(expected.length);
  expect((await eventsAfter(before)).map(([type]) => type)).toEqual(expected.map(([type]) => type));
  for (const [index, [, data]] of (await eventsAfter(before)).entries())
    expect(data).toMatchObject(expected[index]![1]);
}

test("What Bootwright did itself is told once, by its operation", async () => {
  await expect.poll(() => countNow()).toBe(1);
  await testbed.call("start_vm", { vm: vm.name });
  expect((await eventsAfter(0)).map(([type]) => type)).toEqual(["vm.created", "vm.started"]);
});

test("What another program and the guest do is told once, with its reason", async () => {
  await expectReported(
    () => testbed.virsh("reset", vm.name),
    [["vm.rebooted", { reboots: 1, managed: true, name: vm.name }]],
  );
  await expectReported(() => testbed.virsh("destroy", vm.name), [["vm.stopped", { reason: "power_cut" }]]);
  await expectReported(() => testbed.virsh("start", vm.name), [["vm.started", {}]]);
  const xml = await testbed.xml(vm.name);
  await expectReported(
    () => testbed.define(xml.replace(/<vcpu[^>]*>1</, "<vcpu>2<")),
    [["vm.changed_elsewhere", { what: "redefined" }]],
  );
});

test("What happened while no server ran is found by the next one, and told once", async () => {
  const before = await countNow();
  process.kill(testbed.server.pid()!, "SIGKILL");
  await testbed.virsh("destroy", vm.name);
  await testbed.virsh("start", vm.name);
  second = await openClient({
    settings: ["--data", `${testbed.directory}/data`, "--images", `${testbed.directory}/images`],
  });
  await expect.poll(async () => (await eventsAfter(before, second)).length).toBe(2);
  expect((await eventsAfter(before, second)).map(([type]) => type)).toEqual(["vm.stopped", "vm.started"]);
});
