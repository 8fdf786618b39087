// @module-tag process
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memorySettings, temporaryDirectory } from "../../support/memory.ts";
import { type Caller, generations } from "../callers.ts";

const names = Object.keys(generations) as (keyof typeof generations)[];

describe.each(names)("a client of %s", (generation) => {
  let caller: Caller;
  const data = temporaryDirectory("file");
  beforeAll(async () => {
    caller = await generations[generation]({ settings: memorySettings(data, "installsAfterMs=never") });
  });
  afterAll(() => caller.close());

  it("speaks its own protocol version, and is told who serves it and how the tools go together", async () => {
    expect(caller.protocol()).toBe(generation.slice(0, 10));
    expect(caller.serverName()).toBe("bootwright");
    expect(caller.instructions()).toMatch(/create_vm .*start_vm .*complete_installation/s);
  });

  it("lists tools with schemas and annotations, and its own validation accepts every answer and every refusal", async () => {
    const tools = await caller.tools();
    expect(tools.map(({ name }) => name)).toContain("create_vm");
    for (const tool of tools) {
      expect(tool.outputSchema, tool.name).toMatchObject({ type: "object" });
      expect(tool.annotations, tool.name).toMatchObject({ openWorldHint: false });
    }
    const created = await caller.call("create_vm", { name: "web", iso_path: "installer.iso" });
    expect(created.structuredContent).toMatchObject({ changed: true, vm: { name: "web", power: "off" } });
    expect(created.text).toContain("Next: start_vm");
    for (const [tool, args] of Object.entries(calls)) {
      const answer = await caller.call(tool, args);
      expect(answer.isError, `${tool}: ${answer.text}`).toBeUndefined();
      expect(answer.structuredContent, tool).toBeTypeOf("object");
      expect(answer.text, tool).not.toBe("");
    }
    for (const { name } of tools) {
      const refused = await caller.call(name, { nonsense: 1 });
      expect(refused, name).toMatchObject({ isError: true, refusal: { code: "INPUT_INVALID" } });
      expect(refused.structuredContent).toBeUndefined();
    }
  });

  it("reads what a refusal says as text, and code, message, hint, next and details as data", async () => {
    const refused = await caller.call("get_vm", { vm: "wbe" });
    expect(refused).toEqual({
      isError: true,
      text: 'VM_NOT_FOUND: Cannot find VM "wbe"\nKnown VMs, nearest first: web\nNext: call list_vms',
      refusal: {
        code: "VM_NOT_FOUND",
        message: 'Cannot find VM "wbe"',
        hint: "Known VMs, nearest first: web",
        next: "list_vms",
        details: { vm: "wbe", known: ["web"], unreachable: [] },
      },
    });
  });

  it("is told that there is no such tool, with the nearest first", async () => {
    const refused = await caller.call("get_mv");
    expect(refused.refusal).toMatchObject({ code: "TOOL_NOT_FOUND", details: { tool: "get_mv" } });
    expect((refused.refusal!.details as { known: string[] }).known[0]).toBe("get_vm");
  });

  it("is told every wrong argument at once, and unknown ones by name", async () => {
    const { refusal } = await caller.call("create_vm", { name: "a b", disk_size_gb: "20", cpus: 0, colour: "red" });
    const { issues } = refusal!.details as { issues: string[] };
    for (const named of ["name: ", "disk_size_gb: ", "cpus: ", '"colour"'])
      expect(
        issues.filter((issue) => issue.includes(named)),
        named,
      ).toHaveLength(1);
  });

  it("hears of each step while it happens, if it asked to", async () => {
    const heard: { progress: number; message?: string | undefined }[] = [];
    await caller.call("create_vm", { name: "shop" }, { onprogress: (progress) => void heard.push(progress) });
    expect(heard.map(({ progress }) => progress)).toEqual([1, 2]);
    expect(heard.map(({ message }) => message)).toEqual([
      expect.stringContaining("create a 20 GiB qcow2 disk"),
      "define VM shop with boot order cdrom_hd",
    ]);
  });

  it("cancels a long stop: the operation is rolled back and the VM takes the next change at once", async () => {
    await caller.call("create_vm", { name: "mail", iso_path: "installer.iso" });
    await caller.call("start_vm", { vm: "mail" });
    const cancel = new AbortController();
    const stopping = caller.call(
      "stop_vm",
      { vm: "mail", timeout_seconds: 600 },
      { signal: cancel.signal, onprogress: () => cancel.abort(new Error("changed my mind")) },
    );
    await expect(stopping).rejects.toThrow("changed my mind");
    // Whoever still held it would be waited for, and then be named in a refusal.
    const { structuredContent } = await caller.call("attach_iso", { vm: "mail", iso_path: "live.iso" });
    expect(structuredContent).toMatchObject({ changed: true, vm: { power: "running" } });
  });
});

/** One call of each tool that a VM named web allows, in an order in which each succeeds. */
const calls = {
  list_vms: {},
  get_vm: { vm: "web" },
  start_vm: { vm: "web" },
  check_boot: { vm: "web" },
  get_boot_order: { vm: "web" },
  get_installation_status: { vm: "web" },
  fail_installation: { vm: "web" },
  complete_installation: { vm: "web" },
  begin_reinstallation: { vm: "web" },
  cancel_installation: { vm: "web" },
  set_boot_order: { vm: "web", boot_order: "hd" },
  list_isos: {},
  attach_iso: { vm: "web", iso_path: "live.iso" },
  detach_iso: { vm: "web" },
  resize_disk: { vm: "web", size_gb: 30 },
  get_disk_info: { vm: "web" },
  stop_vm: { vm: "web", dry_run: true },
  restart_vm: { vm: "web", dry_run: true, accept: ["DISK_BLANK"] },
  delete_vm: { vm: "web", force: true, dry_run: true },
  adopt_vm: { vm: "web" },
};
