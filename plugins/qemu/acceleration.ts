/** Finds out whether guests really run under the host's hypervisor. A device that exists and may be opened proves
 * nothing: guests can still abort on a model-specific register or stop with an internal error. So a probe guest of 200
 * bytes runs once per boot of the host; it must get from real to long mode and write a byte to its serial port. */
import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DomainError, PROBE_EXIT_PORT, PROBE_SHOWS, PROBE_SIGN, probeDisk } from "../../src/plugin.ts";
import { cpuOf } from "./command-line.ts";
import type { Accelerator } from "./definition.ts";
import { readText, writeWhole } from "./file.ts";
import { runToExit } from "./program.ts";
import type { QemuSession } from "./session.ts";

const PROBE_LIMIT_MS = 8_000;

/** The accelerator that this host's kernel offers; other systems only emulate. */
const native: Accelerator | undefined = ({ linux: "kvm", darwin: "hvf" } as const)[process.platform as string];

/** @throws DomainError BACKEND_FAILED when KVM is asked for and does not work */
export async function acceleratorFor(
  session: QemuSession,
  wanted: "auto" | "kvm" | "tcg",
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<Accelerator> {
  signal.throwIfAborted();
  const tried = wanted === "auto" ? native : wanted;
  if (tried === undefined || tried === "tcg") return "tcg";
  if (await works(session, tried, progress, signal)) return tried;
  if (wanted === "auto") return "tcg";
  const reason = "a probe guest does not run under KVM on this host; use acceleration auto or tcg";
  throw new DomainError("BACKEND_FAILED", { connection: session.context.connection, change: "vm.create", reason });
}

async function works(
  session: QemuSession,
  accelerator: "kvm" | "hvf",
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { host, context } = session;
  const { cacheDirectory, log } = context;
  const path = join(cacheDirectory, `${accelerator}-probe-qemu.json`);
  // Another program or boot of the host may give another result.
  const about = { hostBoot: (await host.bootId()) ?? "host", binary: session.binary, accelerator, shows: PROBE_SHOWS };
  const known = await readText(path)
    .then((text) => JSON.parse(text ?? "{}") as Record<string, unknown>)
    .catch(() => ({}) as Record<string, unknown>);
  if (Object.entries(about).every(([key, value]) => known[key] === value) && typeof known.works === "boolean")
    return known.works;
  progress(`finding out whether guests run under ${accelerator.toUpperCase()} here`);
  const answer = await probe(session, accelerator, signal);
  // A timeout is not remembered: the host may only have been busy.
  if (answer === "no answer") {
    log(`a probe guest under ${accelerator.toUpperCase()} did not answer within ${PROBE_LIMIT_MS / 1000} s; emulating`);
    return false;
  }
  await writeWhole(path, JSON.stringify({ ...about, works: answer }));
  log(`guests ${answer ? "run" : "do not run"} under ${accelerator.toUpperCase()} on this host`);
  return answer;
}

/** Whether the probe guest runs under this accelerator. */
export async function probe(
  { binary, context }: QemuSession,
  accelerator: Accelerator,
  signal: AbortSignal,
): Promise<boolean | "no answer"> {
  await mkdir(context.cacheDirectory, { recursive: true });
  const disk = join(context.cacheDirectory, `probe-${randomUUID()}.img`);
  await writeFile(disk, probeDisk());
  const node = { driver: "raw", "node-name": "disk", "read-only": true, file: { driver: "file", filename: disk } };
  const args = [
    ...["-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"],
    ...["-machine", `q35,accel=${accelerator}`, "-cpu", cpuOf(accelerator), "-m", "32"],
    ...["-blockdev", JSON.stringify(node), "-device", "virtio-blk-pci,drive=disk,bootindex=1"],
    ...["-chardev", "stdio,id=com1,signal=off", "-device", "isa-serial,chardev=com1"],
    ...["-device", `isa-debug-exit,iobase=${PROBE_EXIT_PORT},iosize=4`],
  ];
  try {
    const { stdout, stderr, timedOut } = await runToExit(binary, args, { timeoutMs: PROBE_LIMIT_MS, signal });
    if (stdout.includes(PROBE_SIGN)) return true;
    // QEMU stays, stopped, where KVM gives up.
    return timedOut && !/internal error/i.test(stderr) ? "no answer" : false;
  } finally {
    await rm(disk, { force: true });
  }
}
