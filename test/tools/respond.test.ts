// @module-tag process
import { describe, expect, it } from "vitest";
import { DomainError, errorCodes } from "../../src/domain/error.ts";
import { toolNamed } from "../../src/tools/call.ts";
import { allTools } from "../../src/tools/catalogue.ts";
import { answerText, nextTool, parseInput, refusalOf, refusalText } from "../../src/tools/respond.ts";
import { openHarness } from "./harness.ts";

describe("the text of an answer", () => {
  const { call, server } = openHarness();
  const text = (tool: string, args: object) => server().text(tool, { ...args });

  it("says what was done, how the VM is, what was found and how to mend it, and what may come next", async () => {
    const { vm } = await call("create_vm", { name: "web", iso_path: "drivers.iso" });
    expect((await text("set_boot_order", { vm: "web", boot_order: "cdrom" })).split("\n")).toEqual([
      "Done: set the boot order to cdrom",
      "web: off, NotInstalled, boot order cdrom, ISO /memory/isos/drivers.iso",
      expect.stringMatching(/^NOTHING_BOOTS: .*; mend: attach_iso .* or set_boot_order \{/),
      `ISO_NOT_BOOTABLE: /memory/isos/drivers.iso has no El Torito boot record; mend: detach_iso {"vm":"${vm.uuid}"}`,
      `Next: check_boot {"vm":"${vm.uuid}"}`,
    ]);
  });

  it("says that there was nothing to do, in a dry run, too", async () => {
    for (const dry_run of [true, false])
      expect(await text("set_boot_order", { vm: "web", boot_order: "cdrom", dry_run })).toMatch(
        /^Nothing to do: it was so already\nweb: off/,
      );
  });

  it("says in a dry run what would be done and lost", async () => {
    const [first, second] = (await text("delete_vm", { vm: "web", dry_run: true })).split("\n");
    expect(first).toMatch(/^Would do: remove the VM's definition; /);
    expect(second).toMatch(/^Would lose \(needs confirmation\): the definition of VM web; .*qcow2/);
  });

  it("says what was overridden, and when a change takes effect", async () => {
    await call("create_vm", { name: "mail", iso_path: "installer.iso" });
    await call("start_vm", { vm: "mail" });
    const lines = (await text("set_boot_order", { vm: "mail", boot_order: "hd" })).split("\n");
    expect(lines[1]).toBe("Takes effect at the next cold start, not at a reboot from inside the guest");
    await call("create_vm", { name: "bare", boot_order: "hd" });
    expect(await text("start_vm", { vm: "bare", accept: ["DISK_BLANK"] })).toContain(
      "\nOverridden findings: DISK_BLANK\n",
    );
  });

  it("lists VMs one a line, and says so when there are none", async () => {
    expect((await text("list_vms", {})).split("\n")).toHaveLength(3);
    expect(answerText({ name: "list_vms" }, { vms: [], unreachable: [] })).toBe("There are no VMs");
  });
});

describe("a refusal", () => {
  it("has its next step decided, whatever its code", () => {
    expect(Object.keys(nextTool).sort()).toEqual([...errorCodes].sort());
  });

  it("says how its operation ended, and what stays done", () => {
    const error = new DomainError("SHUTDOWN_TIMED_OUT", { vm: "web", waitedMs: 1_000 });
    error.outcome = { operation: "17", status: "rolled_back", kept: ["grow the disk"] };
    expect(refusalText(refusalOf(error)).split("\n").slice(0, 2)).toEqual([
      'SHUTDOWN_TIMED_OUT: Cannot shut down VM "web": the guest did not power off within 1 s',
      "Operation 17: rolled_back; stays done: grow the disk",
    ]);
    expect(refusalOf(error)).toMatchObject({ next: "stop_vm", outcome: { operation: "17" } });
  });

  it("stays short however much of the request is wrong", () => {
    const attach = allTools.find(({ name }) => name === "attach_iso")!;
    const list = allTools.find(({ name }) => name === "list_vms")!;
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, key) => [`k${key}`, key]));
    const wrong = [
      () => parseInput(attach, { vm: "x", iso_path: "x", accept: Array.from({ length: 10_000 }, () => "X") }),
      () => parseInput(list, many),
      () => parseInput(list, { ["k".repeat(1 << 20)]: 1 }),
      () => toolNamed(allTools, "x".repeat(1 << 20)),
    ];
    for (const call of wrong) {
      const refusal = refusalOf(thrownBy(call));
      expect(JSON.stringify(refusal).length).toBeLessThan(50_000);
      expect(refusal.message).not.toBe("");
    }
  });
});

function thrownBy(call: () => unknown): DomainError {
  try {
    call();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
