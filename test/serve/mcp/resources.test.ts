// @module-tag process
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { memorySettings, temporaryDirectory } from "../../support/memory.ts";
import { type Caller, generations } from "../callers.ts";

const names = Object.keys(generations) as (keyof typeof generations)[];
const nobody = "vm://00000000-0000-4000-8000-00000000dead";

/** Makes a call, with the confirmation that it may ask for. */
async function agreed(by: Caller, tool: string, args: Record<string, unknown> = {}) {
  const first = await by.call(tool, args);
  const { confirm } = (first.refusal?.details ?? {}) as { confirm?: string };
  const answer = confirm === undefined ? first : await by.call(tool, { ...args, confirm });
  expect(answer.isError, answer.text).toBeUndefined();
  return answer;
}

describe.each(names)("a client of %s", (generation) => {
  const data = temporaryDirectory("file");
  let caller: Caller;
  let vm: { uuid: string; name: string };
  const open = () => generations[generation]({ settings: memorySettings(data, "installsAfterMs=never") });
  beforeAll(async () => {
    caller = await open();
    const { structuredContent } = await caller.call("create_vm", { name: "web", iso_path: "installer.iso" });
    vm = structuredContent!.vm as typeof vm;
  });
  afterAll(() => caller.close());
  const uri = () => `vm://${vm.uuid}`;
  const answerOf = async (tool: string, args = {}) => (await agreed(caller, tool, args)).structuredContent;

  it("finds the lists and every VM as resources, and how to name others", async () => {
    expect(await caller.reads.resources()).toEqual([
      expect.objectContaining({ uri: "bootwright://vms", name: "vms", mimeType: "application/json" }),
      expect.objectContaining({ uri: "bootwright://operations", name: "operations", mimeType: "application/json" }),
      { uri: uri(), name: "web", title: "VM web", description: "Managed", mimeType: "application/json" },
    ]);
    expect(await caller.reads.templates()).toEqual(["vm://{uuid}", "operation://{id}"]);
  });

  it("reads in each what a tool answers", async () => {
    const { operation } = (await answerOf("attach_iso", { vm: "web", iso_path: "live.iso" })) as { operation: string };
    expect(await caller.reads.read(uri())).toEqual(await answerOf("get_vm", { vm: "web" }));
    expect(await caller.reads.read("bootwright://vms")).toEqual(await answerOf("list_vms"));
    expect(await caller.reads.read("bootwright://operations")).toEqual(await answerOf("list_operations"));
    expect(await caller.reads.read(`operation://${operation}`)).toEqual(await answerOf("get_operation", { operation }));
  });

  it("completes the id of a VM from its name or its id, and that of an operation", async () => {
    expect(await caller.reads.complete("vm://{uuid}", "uuid", "We")).toEqual([vm.uuid]);
    expect(await caller.reads.complete("vm://{uuid}", "uuid", vm.uuid.slice(0, 8))).toEqual([vm.uuid]);
    expect(await caller.reads.complete("vm://{uuid}", "uuid", "no such")).toEqual([]);
    const { operations } = (await answerOf("list_operations")) as { operations: { operation: string }[] };
    expect(await caller.reads.complete("operation://{id}", "id", "")).toEqual(operations.map((one) => one.operation));
    await expect(caller.reads.complete("disk://{path}", "path", "")).rejects.toMatchObject({ code: -32602 });
  });

  it("is told by the protocol's own error that there is no such resource", async () => {
    const unknown = [nobody, "operation://none", "operation://%ff", "vm://web", "vm://", "file:///etc/passwd"];
    for (const one of unknown) {
      await expect(caller.reads.read(one), one).rejects.toMatchObject({ code: -32602, data: { uri: one } });
    }
  });

  it("hears of what it asked for when a tool call changes it, and of nothing else", async () => {
    const other = (await answerOf("create_vm", { name: "other" })) as { vm: { uuid: string } };
    const { hear, heard } = caller.reads;
    const end = await hear(uri(), "bootwright://operations");
    onTestFinished(end);
    const before = heard.updated.length;
    await answerOf("set_boot_order", { vm: other.vm.uuid, boot_order: "hd" });
    await answerOf("set_boot_order", { vm: "web", boot_order: "cdrom" });
    await expect.poll(() => heard.updated.slice(before)).toContain(uri());
    const uris = new Set(heard.updated.slice(before));
    expect([...uris].sort()).toEqual(["bootwright://operations", uri()]);
    await answerOf("delete_vm", { vm: other.vm.uuid });
  });

  it("hears at once that the list has changed, of VMs that come, go and are renamed", async () => {
    const { hear, heard } = caller.reads;
    onTestFinished(await hear("bootwright://vms"));
    for (const [tool, args] of [
      ["create_vm", { name: "mail" }],
      ["delete_vm", { vm: "mail" }],
    ] as const) {
      const before = heard.lists();
      await answerOf(tool, args);
      await expect.poll(() => heard.lists(), { message: tool }).toBeGreaterThan(before);
    }
  });

  it("hears no more of what it no longer wants", async () => {
    const { hear, heard } = caller.reads;
    const end = await hear(uri());
    await end();
    onTestFinished(await hear("bootwright://vms"));
    const before = heard.updated.length;
    await answerOf("set_boot_order", { vm: "web", boot_order: "hd" });
    await expect.poll(() => heard.updated.slice(before)).toContain("bootwright://vms");
    expect(heard.updated.slice(before)).not.toContain(uri());
  });

  it("hears what is done through another server on the same database", async () => {
    const { hear, heard } = caller.reads;
    const second = await open();
    onTestFinished(() => second.close());
    const { structuredContent } = await agreed(second, "create_vm", { name: "elsewhere" });
    const { uuid } = structuredContent!.vm as { uuid: string };
    onTestFinished(await hear(`vm://${uuid}`));
    const lists = heard.lists();
    await agreed(second, "set_boot_order", { vm: uuid, boot_order: "hd" });
    const answeredAt = performance.now();
    await expect.poll(() => heard.updated, { interval: 5 }).toContain(`vm://${uuid}`);
    console.log(`${generation}: heard ${(heard.at.get(`vm://${uuid}`)! - answeredAt).toFixed(1)} ms after the answer`);
    await agreed(second, "delete_vm", { vm: uuid });
    await expect.poll(() => heard.lists()).toBeGreaterThan(lists);
  });

  it("is told that there is a bound to what it can hear of", async () => {
    const { hear } = caller.reads;
    const many = Array.from({ length: 1_001 }, (_, n) => `operation://${generation.length}-${n}`);
    await expect(hear(...many)).rejects.toMatchObject({ code: -32603, message: /Subscription limit reached/ });
  });
});
