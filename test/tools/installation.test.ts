// @module-tag process
import { describe, expect, it } from "vitest";
import type { Answers } from "../../src/tools/catalogue.ts";
import { openHarness } from "./harness.ts";

type Status = "NotInstalled" | "Installing" | "Installed" | "InstallationFailed";
type Tool = "start_vm" | "complete_installation" | "fail_installation" | "cancel_installation" | "begin_reinstallation";

const { call, refused } = openHarness();
let made = 0;
/** A VM in this status, off. */
async function vmIn(status: Status): Promise<string> {
  const name = `vm${++made}`;
  await call("create_vm", { name, iso_path: "installer.iso" });
  if (status === "NotInstalled") return name;
  if (status === "Installed") await call("complete_installation", { vm: name });
  else {
    await call("complete_installation", { vm: name });
    await call("begin_reinstallation", { vm: name });
    if (status === "InstallationFailed") await call("fail_installation", { vm: name });
  }
  return name;
}
const statusOf = async (vm: string) => (await call("get_installation_status", { vm })).installation_status;

/** From each status, where each tool leads; what is not here is illegal. */
const legal: Record<Status, Partial<Record<Tool, Status>>> = {
  NotInstalled: { start_vm: "Installing", complete_installation: "Installed" },
  Installing: {
    start_vm: "Installing",
    complete_installation: "Installed",
    fail_installation: "InstallationFailed",
    cancel_installation: "NotInstalled",
  },
  Installed: { start_vm: "Installed", complete_installation: "Installed", begin_reinstallation: "Installing" },
  InstallationFailed: { start_vm: "Installing", complete_installation: "Installed" },
};
const tools: Tool[] = [
  "start_vm",
  "complete_installation",
  "fail_installation",
  "cancel_installation",
  "begin_reinstallation",
];
const cases = (Object.keys(legal) as Status[]).flatMap((from) =>
  tools.map((tool) => [from, tool, legal[from][tool]] as const),
);

describe("an installation", () => {
  it.each(cases.filter(([, , to]) => to))("that is %s moves by %s to %s", async (from, tool, to) => {
    const vm = await vmIn(from);
    const answer = (await call(tool, { vm })) as Answers["start_vm"];
    expect(answer.vm.installation_status).toBe(to);
    expect(answer.changed).toBe(tool === "start_vm" || from !== to);
    expect(await statusOf(vm)).toBe(to);
  });

  it.each(cases.filter(([, , to]) => !to))(
    "that is %s is not moved by %s, which lists what is possible",
    async (from, tool) => {
      const vm = await vmIn(from);
      const { details, next } = await refused("INSTALLATION_TRANSITION_ILLEGAL", tool, { vm });
      expect(details).toMatchObject({ vm, status: from, legal: expect.not.arrayContaining([tool]) });
      expect(details.legal).not.toEqual([]);
      expect(next).toBe("get_installation_status");
      expect(await statusOf(vm)).toBe(from);
    },
  );

  it.each(Object.keys(legal) as Status[])("that is %s says which calls may change that", async (from) => {
    const vm = await vmIn(from);
    const { next_steps } = await call("get_installation_status", { vm });
    const moving = tools.filter((tool) => legal[from][tool] && legal[from][tool] !== from);
    expect(next_steps.map(({ tool }) => tool).sort()).toEqual(moving.sort());
  });
});

describe("complete_installation", () => {
  it("changes the record alone, and proposes the order that boots the disk", async () => {
    const vm = await vmIn("NotInstalled");
    const done = await call("complete_installation", { vm });
    expect(done.vm).toMatchObject({ boot_order: "cdrom_hd", current_media: "/memory/isos/installer.iso" });
    expect(done.next_steps).toEqual([{ tool: "set_boot_order", arguments: { vm: done.vm.uuid, boot_order: "hd" } }]);
  });

  it("also sets the order and empties the drive, as one operation, if asked to", async () => {
    const vm = await vmIn("NotInstalled");
    const done = await call("complete_installation", { vm, boot_order: "hd", detach_iso: true });
    expect(done.vm).toMatchObject({ installation_status: "Installed", boot_order: "hd" });
    expect(done.vm).not.toHaveProperty("current_media");
    expect(done.next_steps).toMatchObject([{ tool: "start_vm" }]);
    expect((await call("get_operation", { operation: done.operation })).steps.length).toBeGreaterThan(2);
  });

  it("does none of it when one part is refused", async () => {
    const vm = await vmIn("NotInstalled");
    await refused("BLOCKED_BY_FINDINGS", "complete_installation", { vm, boot_order: "cdrom", detach_iso: true });
    expect(await statusOf(vm)).toBe("NotInstalled");
  });

  it("in a dry run changes nothing", async () => {
    const vm = await vmIn("NotInstalled");
    const dry = await call("complete_installation", { vm, boot_order: "hd", dry_run: true });
    expect(dry).toMatchObject({ changed: true, dry_run: true });
    expect(await call("get_vm", { vm })).toMatchObject({ installation_status: "NotInstalled", boot_order: "cdrom_hd" });
  });
});

describe("suggest_completion", () => {
  it("is shown until somebody decides, with who says so and on which evidence", async () => {
    const vm = await vmIn("Installing");
    const evidence = "the disk\u001b[2J has a boot record";
    const first = await call("suggest_completion", { vm, evidence });
    expect(first).toMatchObject({ changed: true, vm: { installation_status: "Installing" } });
    expect(first.next_steps).toMatchObject([{ tool: "complete_installation", arguments: { detach_iso: true } }]);
    const { suggestion } = await call("get_vm", { vm });
    expect(suggestion).toMatchObject({
      evidence: "the disk [2J has a boot record",
      by: expect.stringContaining("mcp"),
    });
    expect((await call("get_installation_status", { vm })).suggestion).toEqual(suggestion);
    expect((await call("get_vm", { vm })).findings.map(({ code }) => code)).toContain("INSTALLATION_LOOKS_COMPLETE");

    expect(await call("suggest_completion", { vm, evidence: "something else" })).toMatchObject({ changed: false });
    await call("complete_installation", { vm, evidence: "a person looked" });
    expect(await call("get_vm", { vm })).not.toHaveProperty("suggestion");
    const { events } = await call("list_events", { vm, type: ["installation.suggested", "installation.completed"] });
    expect(events.map(({ data }) => data.evidence)).toContain("a person looked");
    expect(events.filter(({ type }) => type === "installation.suggested")).toHaveLength(1);
  });

  it.each(["NotInstalled", "Installed", "InstallationFailed"] as const)(
    "is refused for a VM that is %s",
    async (from) => {
      const vm = await vmIn(from);
      await refused("INSTALLATION_TRANSITION_ILLEGAL", "suggest_completion", { vm, evidence: "it looks so" });
    },
  );
});
