import { afterAll, beforeAll, expect, test } from "vitest";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { type Lab, type LabVm, openLab, watched } from "../support/vm.ts";

let lab: Lab;
let vm: LabVm;
let second: BootwrightClient | undefined;

beforeAll(async () => {
  lab = await openLab();
  vm = await lab.installed("events", { boot_order: "hd" });
  await watched(lab);
});
afterAll(async () => {
  await second?.close();
  await lab.close();
});

type Told = [string, Record<string, unknown>];

/** The events of the VM behind the first so many, oldest first. */
const toldBehind = async (count: number, server: Pick<BootwrightClient, "call"> = lab): Promise<Told[]> => {
  const { events } = await server.call("list_events", { vm: vm.uuid, limit: 100 });
  return events
    .reverse()
    .slice(count)
    .map(({ type, data }) => [type, data]);
};
const countNow = async () => (await toldBehind(0)).length;

/** Does something behind Bootwright's back, and waits for exactly these events. */
async function expectTold(work: () => Promise<unknown>, expected: [string, object][]): Promise<void> {
  const before = await countNow();
  await work();
  await expect.poll(async () => (await toldBehind(before)).length).toBeGreaterThanOrEqual(expected.length);
  expect((await toldBehind(before)).map(([type]) => type)).toEqual(expected.map(([type]) => type));
  for (const [index, [, data]] of (await toldBehind(before)).entries()) expect(data).toMatchObject(expected[index]![1]);
}

test("What Bootwright did itself is told once, by its operation", async () => {
  await expect.poll(() => countNow()).toBe(1);
  await lab.call("start_vm", { vm: vm.name });
  expect((await toldBehind(0)).map(([type]) => type)).toEqual(["vm.created", "vm.started"]);
});

test("What another program and the guest do is told once, with its reason", async () => {
  await expectTold(() => lab.virsh("reset", vm.name), [["vm.rebooted", { reboots: 1, managed: true, name: vm.name }]]);
  await expectTold(() => lab.virsh("destroy", vm.name), [["vm.stopped", { reason: "power_cut" }]]);
  await expectTold(() => lab.virsh("start", vm.name), [["vm.started", {}]]);
  const xml = await lab.xml(vm.name);
  await expectTold(
    () => lab.define(xml.replace(/<vcpu[^>]*>1</, "<vcpu>2<")),
    [["vm.changed_elsewhere", { what: "redefined" }]],
  );
});

test("What happened while no server ran is found by the next one, and told once", async () => {
  const before = await countNow();
  process.kill(lab.server.pid()!, "SIGKILL");
  await lab.virsh("destroy", vm.name);
  await lab.virsh("start", vm.name);
  second = await openClient({ settings: ["--data", `${lab.directory}/data`, "--images", `${lab.directory}/images`] });
  await expect.poll(async () => (await toldBehind(before, second)).length).toBe(2);
  expect((await toldBehind(before, second)).map(([type]) => type)).toEqual(["vm.stopped", "vm.started"]);
});
