/** Finds out whether guests really run under KVM on the host. /dev/kvm and libvirt's capabilities cannot be trusted:
 * both may report KVM on hosts whose guests abort on a model-specific register or pause with an internal error. So a
 * probe guest of 200 bytes runs once per boot of the host; it must get from real to long mode and write a byte to its
 * serial port. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError, type HostAccess, PROBE_SHOWS, probeDisk } from "../../src/plugin.ts";
import { DOMAIN_START, DOMAIN_STATE, LibvirtError } from "./client/libvirt.ts";
import type { LibvirtSession } from "./session.ts";

const PROBE_LIMIT_MS = 8_000;
const POLL_MS = 50;
/** Time limit for the probe guest's end, in milliseconds, also with a daemon that hangs. */
const END_LIMIT_MS = 5_000;

/** @throws DomainError BACKEND_FAILED when KVM is asked for and does not work */
export async function acceleratorFor(
  session: LibvirtSession,
  wanted: "auto" | "kvm" | "tcg",
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<"kvm" | "tcg"> {
  if (wanted === "tcg") return "tcg";
  const works = await kvmWorks(session, progress, signal);
  if (works) return "kvm";
  if (wanted === "auto") return "tcg";
  const reason = "a probe guest does not run under KVM on this host; use acceleration auto or tcg";
  throw new DomainError("BACKEND_FAILED", { connection: session.context.connection, change: "vm.create", reason });
}

type Known = { hostBoot?: string; shows?: string; works?: boolean };

async function kvmWorks(
  session: LibvirtSession,
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { host, hostBoot } = session;
  // Without access to the host's files the probe guest cannot run.
  if (!host.probe) return false;
  const path = join(session.context.cacheDirectory, "kvm-probe.json");
  const known = await readFile(path, "utf8")
    .then((text) => JSON.parse(text) as Known)
    .catch((): Known => ({}));
  const isOfNow = known.hostBoot === hostBoot && known.shows === PROBE_SHOWS;
  if (isOfNow && typeof known.works === "boolean") return known.works;
  progress("finding out whether guests run under KVM here");
  const works = await probe({ ...session, host: { ...host, probe: host.probe } }, signal);
  // A timeout is not remembered: the host may only have been busy.
  if (works === "no answer") {
    session.context.log(
      `a probe guest under KVM did not answer within ${PROBE_LIMIT_MS / 1000} s; emulating this time`,
    );
    return false;
  }
  await mkdir(session.context.cacheDirectory, { recursive: true });
  const made = `${path}.${randomUUID()}`;
  await writeFile(made, JSON.stringify({ hostBoot, shows: PROBE_SHOWS, works } satisfies Known));
  await rename(made, path);
  session.context.log(`guests ${works ? "run" : "do not run"} under KVM on this host`);
  return works;
}

type Probed = Pick<LibvirtSession, "libvirt" | "images"> & Readonly<{ host: Required<Pick<HostAccess, "probe">> }>;

/** Whether the probe guest runs under this hypervisor: `qemu` is QEMU without KVM. */
export async function probe(
  { libvirt, images, host }: Probed,
  signal: AbortSignal,
  hypervisor: "kvm" | "qemu" = "kvm",
): Promise<boolean | "no answer"> {
  const uuid = randomUUID();
  const [disk, log] = [images.pathFor(uuid, "kvm-probe.img"), images.pathFor(uuid, "kvm-probe.log")];
  await host.probe.put(disk, probeDisk());
  const xml = `<domain type='${hypervisor}'><name>bootwright-kvm-probe-${uuid.slice(0, 8)}</name><uuid>${uuid}</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
<cpu mode='${hypervisor === "kvm" ? "host-passthrough" : "maximum"}'/><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>
<serial type='file'><source path='${log}'/></serial><memballoon model='none'/></devices></domain>`;
  const starting = libvirt.domainCreateXml(xml, DOMAIN_START.autodestroy, { signal });
  let up = false;
  try {
    const until = Date.now() + PROBE_LIMIT_MS;
    const domain = await Promise.race([starting, sleep(PROBE_LIMIT_MS, undefined, { signal, ref: false })]);
    if (domain === undefined) return "no answer";
    up = true;
    while (Date.now() < until) {
      if (await host.probe.hasContent(log)) return true;
      const { state } = await libvirt.domainGetState(domain, 0, { signal });
      // libvirt pauses a guest whose KVM fails with an internal error.
      if (state !== DOMAIN_STATE.running) return false;
      await sleep(POLL_MS, undefined, { signal });
    }
    return "no answer";
  } catch (error) {
    if (error instanceof LibvirtError) return false;
    throw error;
  } finally {
    // A probe guest that starts after the time limit is still destroyed, in the background.
    const ended = starting.then((domain) => libvirt.domainDestroyFlags(domain, 0)).catch(() => undefined);
    if (up) await Promise.race([ended, sleep(END_LIMIT_MS, undefined, { ref: false })]);
    await Promise.all([host.probe.remove(disk), host.probe.remove(log)]);
  }
}
