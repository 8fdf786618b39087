// Tells Bootwright's story on the real parts: an MCP client on the real server, a VM on this machine's libvirt and QEMU,
// an unattended installer. Every step says what was seen on the guest's serial line.
//
//   npm run quickstart [-- --keep] [--iso PATH] [--qemu | --memory]

import { chmod, mkdtemp, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installerIso } from "../test/fixtures/installer-iso.ts";
import { openClient } from "../test/support/client.ts";
import { waitForLine } from "../test/support/guest.ts";

const { values: flags } = parseArgs({
  options: {
    keep: { type: "boolean" },
    iso: { type: "string" },
    qemu: { type: "boolean" },
    memory: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});
if (flags.help) {
  console.log(`npm run quickstart -- [--keep] [--iso PATH] [--qemu | --memory]
  --keep      leave the VM and its files in place
  --iso PATH  only create a VM and boot your own ISO in it
  --qemu      tell it with QEMU alone: no root and no daemon
  --memory    tell the story with VMs in memory: nothing is virtualised, nothing is installed on this machine`);
  process.exit(0);
}

const began = performance.now();
let stepped = began;
let number = 0;
/** One line: the step, how long it took, what was seen. */
function step(what: string, seen: string): void {
  const now = performance.now();
  number += 1;
  console.log(
    `${String(number).padStart(2)}  ${what.padEnd(44)} ${((now - stepped) / 1000).toFixed(1).padStart(5)} s  ${seen}`,
  );
  stepped = now;
}

const memory = flags.memory === true;
const qemu = flags.qemu === true && !memory;
if (memory) console.log("With VMs in memory: nothing is virtualised, no guest runs, no ISO is read.\n");
// QEMU runs as a user of its own, who has to be able to enter the directory.
const directory = await mkdtemp("/var/tmp/bootwright-quickstart-");
await chmod(directory, 0o711);
const own = flags.iso === undefined ? undefined : resolve(flags.iso);
const iso = memory ? "installer.iso" : (own ?? (await installerIso()));
if (!memory) step("build the installer ISO", iso);
const settings = [
  "--data",
  join(directory, "data"),
  "--images",
  directory,
  ...(memory ? ["--connection", "local=memory"] : ["--iso-dir", dirname(iso)]),
  ...(qemu ? ["--connection", "local=qemu"] : []),
];
// The user of this client agrees to everything it is asked.
const asked: string[] = [];
const server = await openClient({
  settings,
  confirm: (message) => {
    asked.push(message);
    return true;
  },
});
const { call } = server;
await server.client.listTools();
step("start the MCP server", "lists its tools on stdio");

const name = `bootwright-quickstart-${process.pid}`;
let log = "";
/** What the guest says next; in memory, where nothing speaks, what can be seen of it. */
async function seen(pattern: RegExp, after = 0): Promise<{ text: string; end: number }> {
  if (!memory) return waitForLine(log, pattern, { timeoutMs: 120_000, after });
  const { current_boot_device: device } = await call("get_vm", { vm: name });
  return { text: `booted from ${device} (in memory)`, end: 0 };
}

/** The installer in memory needs a moment too, and then there is something on the disk. */
async function installedInMemory(): Promise<{ text: string; end: number }> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await call("get_disk_info", { vm: name })).content === "data")
      return { text: "the disk holds data (in memory)", end: 0 };
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error("the installer in memory did not end");
}
const screenOf = (uuid: string) =>
  qemu ? `VNC on the unix socket ${join(directory, "data/qemu/local", uuid, "run/vnc")}` : `virsh domdisplay ${name}`;
const bootOf = (report: { cold_start: { boots: string }; guest_reboot: { boots: string } }) =>
  `a cold start would boot ${report.cold_start.boots}, a guest's reboot ${report.guest_reboot.boots}`;

try {
  const created = await call("create_vm", {
    name,
    iso_path: iso,
    disk_size_gb: own ? 20 : 1,
    memory_mb: own ? 2048 : 256,
    cpus: 1,
  });
  log = created.vm.serial_log ?? "";
  step("create_vm", `${created.vm.disk_path}, ${created.vm.accelerator}`);
  const started = await call("start_vm", { vm: name });
  step("start_vm", `${started.vm.installation_status}, boots ${started.vm.current_boot_device}`);
  if (own) {
    step("check_boot", bootOf(await call("check_boot", { vm: name })));
    console.log(`\nThe VM "${name}" is running your ISO. Its screen: ${screenOf(created.vm.uuid)}. When the installation is done:
  node src/main.ts ${settings.join(" ")} call complete_installation vm=${name} boot_order=hd`);
  } else {
    await story();
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `\nDone in ${seconds} s${memory ? ", with the memory backend: no guest ran" : ""}. ${own || flags.keep ? "" : "The VM and its files are removed."}`,
  );
} finally {
  await tidy();
}

async function story(): Promise<void> {
  const first = memory ? await installedInMemory() : await seen(/INSTALL-COMPLETE run=1/);
  step("the installer runs", first.text);
  const again = await seen(/INSTALL-COMPLETE run=2/, first.end);
  step("it reboots, and is the installer again", again.text);
  const report = await call("check_boot", { vm: name });
  step("check_boot", `${bootOf(report)}: ${report.findings.map(({ code }: { code: string }) => code).join(", ")}`);
  const completed = await call("complete_installation", { vm: name });
  step("complete_installation", `${completed.vm.installation_status}; boot order still ${completed.vm.boot_order}`);
  const ordered = await call("set_boot_order", { vm: name, boot_order: "hd" });
  step("set_boot_order hd", `takes effect: ${ordered.takes_effect}`);
  await call("stop_vm", { vm: name, force: true });
  step("stop_vm force", asked.length ? `the user was asked: ${asked.at(-1)}` : "");
  const booted = await call("start_vm", { vm: name });
  const disk = await seen(/BOOTED-FROM-DISK 1\b/);
  step("start_vm", `${disk.text}; ${booted.vm.boot_order}`);
  await seen(/ROOT /);
  await new Promise((wake) => setTimeout(wake, memory ? 0 : 1000));
  const restarted = await call("restart_vm", { vm: name });
  const second = await seen(/BOOTED-FROM-DISK 2\b/);
  step("restart_vm", second.text);
  const vm = await call("get_vm", { vm: name });
  step(
    "get_vm",
    `${vm.installation_status}, booted from ${vm.current_boot_device} (${vm.current_boot_certainty}), findings: ${vm.findings.map(({ code }: { code: string }) => code).join(", ") || "none"}`,
  );
  if (restarted.vm.power !== "running") throw new Error("the VM is not running after the restart");
}

async function tidy(): Promise<void> {
  if (flags.keep || own) {
    console.log(`Kept: VM "${name}", files in ${directory}. Remove both with:
  node src/main.ts ${settings.join(" ")} call delete_vm vm=${name} force=true
  rm -r ${directory}`);
    await server.close();
    return;
  }
  try {
    await call("delete_vm", { vm: name, force: true });
  } catch (error) {
    console.error(
      `The VM "${name}" could not be removed: ${error instanceof Error ? error.message : error}\n${server.stderr()}`,
    );
  }
  await server.close();
  await rm(directory, { recursive: true, force: true });
}
