// deno run --allow-read --allow-write --allow-env --allow-sys --allow-run --allow-net
//
// Takes VMs from an installer ISO to their own disks through an MCP client, with the server on Deno under the permissions that
// docs/deploy.md names for it and no others. What the client above needs is the business of this script alone.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { allTools } from "../../src/tools/catalogue.ts";
import { installerIso } from "../fixtures/installer-iso.ts";
import { type BootwrightClient, openClient, serverPath } from "../support/client.ts";
import { type DenoBackend, permissionsFor } from "../support/deno.ts";
import { check, expectEqual, hasFailed } from "../support/deno-check.ts";
import { waitForLine } from "../support/guest.ts";
import { guestPrefix } from "../support/guest-names.ts";

const socket = "/run/libvirt/libvirt-sock";
/** An emulated guest on a busy machine. */
const GUEST_MS = 120_000;

const connections: Record<DenoBackend, string> = {
  memory: "local=memory,installsAfterMs=0",
  libvirt: "local=libvirt",
  qemu: "local=qemu",
};
async function withServer(
  backend: DenoBackend,
  work: (server: BootwrightClient, directory: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), `${guestPrefix}deno-`));
  // QEMU runs as a user of its own, who has to be able to enter them.
  for (const made of ["", "images", "isos", "tmp"]) {
    mkdirSync(join(directory, made), { recursive: true });
    chmodSync(join(directory, made), 0o711);
  }
  const server = await openClient({
    command: [process.execPath, "run", "--no-prompt", ...permissionsFor(directory, backend), serverPath],
    settings: [
      ...[
        "--data",
        join(directory, "data"),
        "--images",
        join(directory, "images"),
        "--iso-dir",
        join(directory, "isos"),
      ],
      ...["--connection", connections[backend]],
    ],
    env: {
      NO_COLOR: "1",
      TMPDIR: join(directory, "tmp"),
      XDG_CACHE_HOME: join(directory, "cache"),
      XDG_CONFIG_HOME: directory,
    },
    confirm: () => true,
  });
  try {
    await work(server, directory);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${server.stderr()}`);
  } finally {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

await check("the journey on memory", () =>
  withServer("memory", async ({ client, call }) => {
    expectEqual((await client.listTools()).tools.length, allTools.length);
    const { vm } = await call("create_vm", { name: "web", iso_path: "installer.iso" });
    expectEqual([vm.power, vm.installation_status, vm.boot_order], ["off", "NotInstalled", "cdrom_hd"]);
    const started = await call("start_vm", { vm: "web" });
    expectEqual([started.vm.installation_status, started.vm.current_boot_device], ["Installing", "cdrom"]);
    const { findings } = await call("check_boot", { vm: "web" });
    expectEqual(
      findings.some(({ code }) => code === "INSTALLER_LOOP"),
      true,
    );
    const completed = await call("complete_installation", { vm: "web", boot_order: "hd" });
    expectEqual([completed.vm.installation_status, completed.takes_effect], ["Installed", "next_start"]);
    const restarted = await call("restart_vm", { vm: "web", force: true });
    expectEqual([restarted.vm.power, restarted.vm.current_boot_device], ["running", "hd"]);
    await call("detach_iso", { vm: "web" });
    expectEqual((await call("resize_disk", { vm: "web", size_gb: 30 })).changed, true);
    expectEqual((await call("get_disk_info", { vm: "web" })).size_gb, 30);
    expectEqual((await call("delete_vm", { vm: "web", force: true })).changed, true);
    expectEqual((await call("list_vms")).total, 0);
  }),
);

await check("a call that ends with its answer", async () => {
  const directory = mkdtempSync(join(tmpdir(), `${guestPrefix}deno-`));
  const args = [
    "run",
    "--no-prompt",
    ...permissionsFor(directory, "memory"),
    serverPath,
    "--data",
    join(directory, "data"),
  ];
  const call = ["--connection", "local=memory", "call", "create_vm", "name=web"];
  // Deno waits for timers that Node does not wait for: the process once stayed for the longest time limit of a step.
  const { status } = spawnSync(process.execPath, [...args, ...call], { timeout: 120_000, stdio: "ignore" });
  rmSync(directory, { recursive: true, force: true });
  expectEqual(status, 0);
});

/** What is true is what the guest says on its serial line. */
async function onGuest(backend: "libvirt" | "qemu"): Promise<void> {
  const made = await installerIso();
  await withServer(backend, async ({ call }, directory) => {
    const iso = join(directory, "isos", basename(made));
    // libvirt gives an ISO to QEMU's user, and this one is everybody's.
    copyFileSync(made, iso);
    const of = { vm: `${guestPrefix}deno-${backend}` };
    try {
      const { vm } = await call("create_vm", {
        ...{ name: of.vm, iso_path: iso, disk_size_gb: 1, memory_mb: 256, cpus: 1 },
        ...{ network: "none", acceleration: "tcg" },
      });
      const says = (pattern: RegExp) => waitForLine(vm.serial_log!, pattern, { timeoutMs: GUEST_MS });
      expectEqual([vm.power, vm.installation_status, vm.boot_order], ["off", "NotInstalled", "cdrom_hd"]);
      const started = await call("start_vm", of);
      expectEqual([started.vm.installation_status, started.vm.current_boot_device], ["Installing", "cdrom"]);
      await says(/INSTALL-COMPLETE run=1/);
      const { findings } = await call("check_boot", of);
      expectEqual(
        findings.some(({ code }) => code === "INSTALLER_LOOP"),
        true,
      );
      const completed = await call("complete_installation", { ...of, boot_order: "hd", detach_iso: true });
      expectEqual([completed.vm.installation_status, completed.vm.boot_order], ["Installed", "hd"]);
      expectEqual([completed.vm.current_media, completed.vm.next_media], [undefined, undefined]);
      await call("restart_vm", { ...of, force: true });
      await says(/BOOTED-FROM-DISK 1$/);
      expectEqual((await call("get_vm", of)).current_boot_device, "hd");
      const attached = await call("attach_iso", { ...of, iso_path: iso });
      expectEqual([attached.changed, attached.vm.current_media], [true, iso]);
      expectEqual((await call("detach_iso", of)).vm.current_media, undefined);
      expectEqual((await call("resize_disk", { ...of, size_gb: 2 })).changed, true);
      expectEqual((await call("get_disk_info", of)).size_gb, 2);
      await call("restart_vm", of);
      await says(/BOOTED-FROM-DISK 2$/);
      expectEqual((await call("stop_vm", { ...of, force: true })).vm.power, "off");
      expectEqual((await call("get_disk_info", { ...of, check: true })).corrupt, false);
      expectEqual((await call("delete_vm", of)).changed, true);
    } finally {
      // A VM that could not be made, or is gone already, is not there to be deleted; the first error is the one to be told.
      await call("delete_vm", { ...of, force: true }).catch(() => undefined);
    }
  });
}
if (existsSync(socket)) await check("the journey on libvirt", () => onGuest("libvirt"));
else console.log(`# no libvirt here: nothing answers at ${socket}`);
if (spawnSync("qemu-system-x86_64", ["--version"]).status === 0)
  await check("the journey on QEMU alone", () => onGuest("qemu"));
else console.log("# no QEMU here");
process.exit(hasFailed() ? 1 : 0);
