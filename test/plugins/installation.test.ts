/** The two plugins about installations in a real server, from their settings and through their workers, on VMs in memory. */
// @module-tag process
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";

vi.setConfig({ testTimeout: 120_000 });
const eventually = <T>(look: () => Promise<T>) => vi.waitFor(look, { timeout: 50_000, interval: 50 });

async function openServer(watch: string) {
  // No installer is done before its start is.
  const guests = ["installsAfterMs=1500", "agentAfterMs=100"];
  const settings = memorySettings(temporaryDirectory(), ...guests);
  const server = await openClient({
    settings: [...settings, "--plugin", "loop-guard", "--plugin", `installation-watch${watch}`],
  });
  onTestFinished(() => server.close());
  const settled = () =>
    eventually(async () => {
      const { plugins } = await server.call("list_plugins");
      expect(plugins.map(({ name, behind, failures }) => [name, behind, failures])).toEqual([
        ["loop-guard", 0, 0],
        ["installation-watch", 0, 0],
      ]);
    });
  await settled();
  return { ...server, settled };
}

describe("loop-guard and installation-watch in a server", () => {
  it("take a VM from its start to Installed with no call in between, when told to act", async () => {
    const { call, settled } = await openServer(",auto=true");
    await call("create_vm", { name: "web", iso_path: "installer.iso" });
    await call("start_vm", { vm: "web", at_reboot: "boot_disk" });
    await eventually(async () =>
      expect(await call("get_vm", { vm: "web" })).toMatchObject({
        installation_status: "Installed",
        boot_order: "hd",
        current_boot_device: "hd",
        power: "running",
      }),
    );
    await settled();
    const { operations } = await call("list_operations", { vm: "web" });
    expect(operations.map(({ tool }) => tool).filter((tool) => tool !== "suggest_completion")).toEqual([
      "complete_installation",
      "start_vm",
      "set_boot_order",
      "start_vm",
      "create_vm",
    ]);
  });

  it("make one suggestion, and nothing else, when told nothing", async () => {
    const { call, settled } = await openServer("");
    await call("create_vm", { name: "web", iso_path: "installer.iso" });
    await call("start_vm", { vm: "web" });
    await eventually(async () => expect(await call("get_vm", { vm: "web" })).toHaveProperty("suggestion"));
    await settled();
    const { events } = await call("list_events", { vm: "web", type: ["installation.suggested"] });
    expect(events).toHaveLength(1);
    const tools = (await call("list_operations", { vm: "web" })).operations.map(({ tool }) => tool);
    expect(new Set(tools)).toEqual(new Set(["suggest_completion", "start_vm", "create_vm"]));
  });
});
