/** Every host that speaks stdio starts a server of its own, and all of them share one data directory. */
// @module-tag process
import { describe, expect, it, onTestFinished } from "vitest";
import { type BootwrightClient, openClient, type Refusal } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";

async function open(data: string, ...more: string[]): Promise<BootwrightClient> {
  const server = await openClient({ settings: [...memorySettings(data, "installsAfterMs=never"), ...more] });
  onTestFinished(() => server.close());
  return server;
}

describe("two servers on one data directory", () => {
  it("can both begin on an empty one at the same moment", async () => {
    const data = temporaryDirectory();
    const servers = await Promise.all([open(data), open(data), open(data)]);
    const made = await Promise.all(servers.map(({ call }, index) => call("create_vm", { name: `vm${index}` })));
    expect(made.map(({ changed }) => changed)).toEqual([true, true, true]);
    for (const { call } of servers) {
      expect((await call("list_vms", { managed: true })).vms.map(({ name }) => name).sort()).toEqual([
        "vm0",
        "vm1",
        "vm2",
      ]);
    }
  });

  it("see each other's operations", async () => {
    const data = temporaryDirectory();
    const [a, b] = [await open(data), await open(data)];
    const { operation } = await a.call("create_vm", { name: "web" });
    expect(await b.call("get_operation", { operation })).toMatchObject({ status: "applied", tool: "create_vm" });
  });

  it("make one change on a VM at a time: the other waits as long as it may, and is told for whom", async () => {
    const data = temporaryDirectory();
    const [a, b] = [await open(data), await open(data, "--claim-wait", "0.3")];
    const { vm } = await a.call("create_vm", { name: "web", iso_path: "installer.iso" });
    await a.call("start_vm", { vm: "web" });
    const cancel = new AbortController();
    const stopping = a.refusal(
      "stop_vm",
      { vm: "web", timeout_seconds: 600 },
      {
        signal: cancel.signal,
        // It has the VM now, and waits for an installer that ignores it.
        onprogress: () => void reported.resolve(),
      },
    );
    const reported = Promise.withResolvers<void>();
    stopping.catch(() => undefined);
    await reported.promise;
    const busy = (await b.refusal("delete_vm", { vm: vm.uuid })) as Refusal;
    expect(busy).toMatchObject({
      code: "VM_BUSY",
      next: "get_vm",
      details: { holder: "mcp:bootwright-test 1", what: "stop_vm" },
    });
    expect(busy.details.waitedMs).toBeGreaterThanOrEqual(300);
    cancel.abort(new Error("enough"));
    await expect(stopping).rejects.toThrow("enough");
    await expect.poll(() => b.refusal("delete_vm", { vm: vm.uuid, dry_run: false })).toBeUndefined();
  });

  it("settle in the background what one that was killed left open, whatever other connections do", async () => {
    const data = temporaryDirectory();
    const a = await open(data);
    await a.call("create_vm", { name: "web", iso_path: "installer.iso" });
    await a.call("start_vm", { vm: "web" });
    const reported = Promise.withResolvers<void>();
    const stopping = a.call(
      "stop_vm",
      { vm: "web", timeout_seconds: 600 },
      { onprogress: () => void reported.resolve() },
    );
    stopping.catch(() => undefined);
    await reported.promise;
    process.kill(a.pid()!, "SIGKILL");
    const far = ["--connection", "far=libvirt,uri=nonsense"];
    const b = await openClient({ settings: ["--data", data, ...far, "--connection", "local=memory"] });
    onTestFinished(() => b.close());
    const settled = () =>
      b
        .stderr()
        .split("\n")
        .filter((line) => line.includes("left by a process that ended"));
    await expect.poll(settled).toEqual([expect.stringMatching(/operation \S+ \(stop_vm on /)]);
    // Nothing is open there, so nobody asks for it to settle anything.
    expect(b.stderr()).not.toContain("far: what was left open");
    const operation = /operation (\S+)/.exec(settled()[0]!)![1];
    expect((await b.call("get_operation", { operation })).status).not.toBe("begun");
  });

  it("take a VM over from one that was killed", async () => {
    const data = temporaryDirectory();
    const [a, b] = [await open(data), await open(data)];
    await a.call("create_vm", { name: "web", iso_path: "installer.iso" });
    const { vm } = await a.call("start_vm", { vm: "web" });
    const reported = Promise.withResolvers<void>();
    const stopping = a.call(
      "stop_vm",
      { vm: "web", timeout_seconds: 600 },
      { onprogress: () => void reported.resolve() },
    );
    stopping.catch(() => undefined);
    await reported.promise;
    process.kill(a.pid()!, "SIGKILL");
    // Its VMs were in its memory; what is left is the record, which nobody holds any more.
    await expect.poll(() => b.refusal("delete_vm", { vm: vm.uuid })).toBeUndefined();
    // By whomever it was settled.
    expect(b.stderr().match(/^bootwright: operation .*left by a process that ended: /gm)).toHaveLength(1);
    expect((await b.call("list_vms")).vms).toEqual([]);
  });
});
