// @module-tag process
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import type { Plugin } from "../../src/plugin.ts";
import { capabilitiesOf } from "../../src/plugin-host/backends.ts";
import { openApiOf } from "../../src/serve/http/openapi.ts";
import { offeredTools } from "../../src/tools/catalogue.ts";
import plugin from "../support/agentless-plugin.ts";
import { openClient, serverPath } from "../support/client.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { openHarness } from "./harness.ts";

const agentless = [
  "--connection",
  `agentless=${fileURLToPath(new URL("../support/agentless-plugin.ts", import.meta.url))}`,
];

const { call, refused, outside } = openHarness({ local: { agentAfterMs: 0 } }, agentless);

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

  it("is refused for a VM whose connection has no way to ask, with those that have one", async () => {
    await call("create_vm", { name: "silent", connection: "agentless", iso_path: "installer.iso" });
    const { message, hint, details } = await refused("GROUP_UNSUPPORTED", "get_guest_info", { vm: "silent" });
    expect(message).toContain('connection "agentless": its backend "agentless" has no group "guest"');
    expect([hint, details]).toMatchObject(["Connections that have it: local", { connections: ["local"] }]);
  });
});

describe("a server whose connections cannot ask a guest", () => {
  it("offers get_guest_info nowhere: to no client, on no command line, and not in REST", async () => {
    const settings = ["--data", temporaryDirectory(), ...agentless];
    const server = await openClient({ settings });
    try {
      const { tools } = await server.client.listTools();
      const names = tools.map(({ name }) => name);
      expect(names).toContain("get_vm");
      expect(names).not.toContain("get_guest_info");
      expect(await server.refusal("get_guest_info", { vm: "x" })).toMatchObject({ code: "TOOL_NOT_FOUND" });
    } finally {
      await server.close();
    }
    const { stdout } = await execa(process.execPath, [serverPath, "tools", ...settings]);
    expect(stdout).toMatch(/^get_vm /m);
    expect(stdout).not.toContain("get_guest_info");
    const connections = {
      names: ["agentless"],
      capabilities: () => capabilitiesOf(plugin as unknown as Plugin),
      backend: () => Promise.reject(new Error("listing tools opens nothing")),
    };
    const paths = Object.keys(openApiOf(offeredTools(connections, { readOnly: false }), "0.0.0").paths);
    expect(paths).toContain("/vms/{vm}");
    expect(paths).not.toContain("/vms/{vm}/guest");
  });
});
