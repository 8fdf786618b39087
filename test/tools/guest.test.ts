// @module-tag process
import { describe, expect, it } from "vitest";
import { openBench } from "./bench.ts";

const { call, outside } = openBench({ local: { agentAfterMs: 0 } });

describe("get_guest_info", () => {
  it("says that a VM is off, and that no agent answers", async () => {
    const { vm } = await call("create_vm", { name: "plain", iso_path: "installer.iso" });
    expect(await call("get_guest_info", { vm: "plain" })).toMatchObject({ agent: "off", system_disk: "vda" });
    await call("start_vm", { vm: "plain" });
    const silent = await call("get_guest_info", { vm: "plain" });
    expect(silent).toMatchObject({ vm: vm.uuid, agent: "silent", reason: expect.stringContaining("no agent answers") });
    expect(silent).not.toHaveProperty("filesystems");
  });

  it("says what the agent says, and that it is the guest's word", async () => {
    const { vm } = await call("create_vm", { name: "up", iso_path: "installer.iso", boot_order: "hd_cdrom" });
    await call("start_vm", { vm: "up" });
    outside(["guestInstalls", vm.uuid]);
    await expect
      .poll(() => call("get_guest_info", { vm: "up" }))
      .toMatchObject({
        agent: "answers",
        untrusted: true,
        os_id: "memory",
        filesystems: [{ mountpoint: "/", type: "ext4", disks: ["vda"] }],
        system_disk: "vda",
      });
  });
});
