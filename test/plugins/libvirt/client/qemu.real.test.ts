// A real libvirtd with QEMU under TCG: what the test driver cannot do. The daemon is the tests' own: qemu:///system
// where that can be had, otherwise qemu:///session.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  CallInterrupted,
  DEVICE_MODIFY,
  DOMAIN_STATE,
  DOMAIN_STATS,
  DOMAIN_XML,
  type DomainEvent,
  ERROR_CODE,
  type EventKind,
  type EventStream,
  GUEST_INFO,
  KEYCODE_SET,
  LIFECYCLE,
  LIFECYCLE_ACTION,
  LIFECYCLE_EVENT,
  type Libvirt,
  METADATA_TYPE,
  openLibvirt,
  PAUSED_REASON,
  sizeOf,
} from "../../../../plugins/libvirt/client/libvirt.ts";
import { guestPrefix } from "../../../support/guest-names.ts";
import { canBeSystem, hasLibvirtd, type PrivateDaemon, startDaemon } from "./private-daemon.ts";
import { DISK_BYTES, defineGuest, type Guest } from "./tcg-guest.ts";

/** The next event of this domain and kind; others are left out. */
async function nextOf<Kind extends EventKind>(events: EventStream, guest: Guest, kind: Kind) {
  for await (const event of withoutClosing(events)) {
    if (event.kind === kind && event.domain.uuid === guest.domain.uuid) return event as DomainEvent & { kind: Kind };
  }
  throw new Error(`no event ${kind}`);
}

/** `for await` closes what it leaves; these tests go on reading. */
function withoutClosing(events: EventStream) {
  return { [Symbol.asyncIterator]: () => ({ next: () => events.next() }) };
}

describe.skipIf(!hasLibvirtd)("libvirt's QEMU driver", () => {
  let daemon: PrivateDaemon;
  let libvirt: Libvirt;
  let guest: Guest;
  let events: EventStream;
  const kinds: EventKind[] = [
    "lifecycle",
    "reboot",
    "ioErrorReason",
    "trayChange",
    "deviceAdded",
    "deviceRemoved",
    "agentLifecycle",
    "metadataChange",
    "blockThreshold",
  ];
  beforeAll(async () => {
    daemon = await startDaemon({ system: canBeSystem });
    libvirt = openLibvirt({ uri: daemon.qemuUri, socketPath: daemon.socketPath });
    guest = await defineGuest(libvirt, `${guestPrefix}client`);
    events = await libvirt.subscribe(kinds);
  });
  afterAll(async () => {
    await guest.remove();
    await libvirt.close();
    await daemon.stop();
  });

  test("connectGetDomainCapabilities() says what a machine can have", async () => {
    const xml = await libvirt.connectGetDomainCapabilities({ arch: "x86_64", machine: "q35", virtType: "qemu" });
    expect(xml).toMatch(/<machine>pc-q35/);
  });

  test("domainCreateWithFlags() starts a guest; lifecycle and agent events tell", async () => {
    const started = await libvirt.domainCreateWithFlags(guest.domain);
    expect(started).toMatchObject({ name: guest.domain.name, uuid: guest.domain.uuid, id: expect.any(Number) });
    expect(await libvirt.domainGetState(started)).toMatchObject({ state: DOMAIN_STATE.running });
    expect(await libvirt.domainIsActive(started)).toBe(true);
    // State 2: nobody in the guest has the agent's channel open; reason 1: because the domain has just started.
    expect(await nextOf(events, guest, "agentLifecycle")).toMatchObject({ state: 2, reason: 1 });
  });

  test("domainUpdateDeviceFlags() inserts and ejects a disc, live and in the definition", async () => {
    const both = DEVICE_MODIFY.live | DEVICE_MODIFY.config;
    await libvirt.domainUpdateDeviceFlags(guest.domain, guest.cdrom(guest.iso), both);
    expect(await libvirt.domainGetXmlDesc(guest.domain)).toContain(guest.iso);
    expect(await libvirt.domainGetXmlDesc(guest.domain, DOMAIN_XML.inactive | DOMAIN_XML.secure)).toContain(guest.iso);
    await libvirt.domainUpdateDeviceFlags(guest.domain, guest.cdrom(), DEVICE_MODIFY.live);
    expect(await libvirt.domainGetXmlDesc(guest.domain)).not.toContain(guest.iso);
    expect(await libvirt.domainGetXmlDesc(guest.domain, DOMAIN_XML.inactive)).toContain(guest.iso);
    expect(await nextOf(events, guest, "trayChange")).toMatchObject({ alias: "sata0-0-0", change: 0 });
    const absent = guest.cdrom("/nowhere.iso");
    const refused = libvirt.domainUpdateDeviceFlags(guest.domain, absent, DEVICE_MODIFY.live);
    await expect(refused).rejects.toMatchObject({ name: "LibvirtError", message: /No such file or directory/ });
  });

  test("domainGetBlockInfo(), domainBlockStats() and the bulk statistics agree on the disk", async () => {
    expect(await libvirt.domainGetBlockInfo(guest.domain, "vda")).toMatchObject({
      capacityBytes: DISK_BYTES,
      physicalBytes: DISK_BYTES,
    });
    const stats = await vi.waitFor(
      async () => {
        const now = await libvirt.domainBlockStats(guest.domain, "vda");
        expect(now.readBytes).toBeGreaterThan(0n);
        return now;
      },
      { timeout: 60_000 },
    );
    const named = await libvirt.domainBlockStatsFlags(guest.domain, "vda");
    expect(named.rd_bytes).toBeGreaterThanOrEqual(stats.readBytes);
    const [record] = await libvirt.connectGetAllDomainStats([guest.domain], DOMAIN_STATS.block | DOMAIN_STATS.state);
    expect(record?.domain.uuid).toBe(guest.domain.uuid);
    expect(sizeOf(record!.stats, "block.0.capacity")).toBe(DISK_BYTES);
    expect(record?.stats).toMatchObject({ "block.0.name": "vda", "state.state": DOMAIN_STATE.running });
    expect(sizeOf(record!.stats, "block.9.capacity")).toBeUndefined();
  });

  test("domainBlockResize() grows a running guest's disk, in bytes", async () => {
    await libvirt.domainBlockResize(guest.domain, "vda", DISK_BYTES * 2);
    expect((await libvirt.domainGetBlockInfo(guest.domain, "vda")).capacityBytes).toBe(DISK_BYTES * 2);
    const cdrom = libvirt.domainBlockResize(guest.domain, "sda", DISK_BYTES);
    await expect(cdrom).rejects.toMatchObject({ message: /can't resize empty or readonly disk/ });
  });

  test("domainReset() gives a reboot event, domainSendKey() types", async () => {
    await libvirt.domainReset(guest.domain);
    expect((await nextOf(events, guest, "reboot")).domain.uuid).toBe(guest.domain.uuid);
    await libvirt.domainSendKey(guest.domain, { codeset: KEYCODE_SET.linux, keycodes: [29, 56, 111], holdMs: 10 });
  });

  test("domainSetMetadata() gives a metadata event with the namespace", async () => {
    const uri = "https://bootwright.test/1";
    const element = { type: METADATA_TYPE.element, metadata: "<vm/>", key: "bw", uri };
    await libvirt.domainSetMetadata(guest.domain, element, DEVICE_MODIFY.config);
    expect(await nextOf(events, guest, "metadataChange")).toMatchObject({ type: METADATA_TYPE.element, uri });
  });

  test("domainAttachDeviceFlags() and domainDetachDeviceFlags() add and remove, with events", async () => {
    const xml = "<watchdog model='i6300esb' action='none'><alias name='ua-dog'/></watchdog>";
    await libvirt.domainAttachDeviceFlags(guest.domain, xml, DEVICE_MODIFY.config);
    expect(await libvirt.domainGetXmlDesc(guest.domain, DOMAIN_XML.inactive)).toContain("i6300esb");
    await libvirt.domainDetachDeviceFlags(guest.domain, xml, DEVICE_MODIFY.config);
    const live = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>";
    await libvirt.domainAttachDeviceFlags(guest.domain, live, DEVICE_MODIFY.live);
    expect(await nextOf(events, guest, "deviceAdded")).toMatchObject({ alias: "ua-tablet" });
    await libvirt.domainDetachDeviceFlags(guest.domain, live, DEVICE_MODIFY.live);
    expect(await nextOf(events, guest, "deviceRemoved")).toMatchObject({ alias: "ua-tablet" });
  });

  test("domainSetLifecycleAction() changes the live definition alone", async () => {
    const change = { lifecycle: LIFECYCLE.reboot, action: LIFECYCLE_ACTION.destroy };
    await libvirt.domainSetLifecycleAction(guest.domain, change, DEVICE_MODIFY.live);
    expect(await libvirt.domainGetXmlDesc(guest.domain)).toContain("<on_reboot>destroy");
    expect(await libvirt.domainGetXmlDesc(guest.domain, DOMAIN_XML.inactive)).toContain("<on_reboot>restart");
  });

  test("domainGetGuestInfo() fails with libvirt's code for an agent that is not there", async () => {
    const info = libvirt.domainGetGuestInfo(guest.domain, GUEST_INFO.os);
    await expect(info).rejects.toMatchObject({ code: ERROR_CODE.agentUnresponsive });
  });

  test("domainGetMessages() and domainGetDiskErrors() answer lists", async () => {
    expect(await libvirt.domainGetMessages(guest.domain)).toBeInstanceOf(Array);
    expect(await libvirt.domainGetDiskErrors(guest.domain)).toEqual([]);
  });

  test("calls of a guest that hangs do not make the daemon look dead, nor stop calls of others", async () => {
    const keepalive = { intervalMs: 100, count: 3 };
    const other = openLibvirt({ uri: daemon.qemuUri, socketPath: daemon.socketPath, keepalive });
    const pid = await daemon.guestPid(guest.domain.name);
    process.kill(pid, "SIGSTOP");
    try {
      const stuck = Array.from({ length: 4 }, () =>
        other.domainBlockStats(guest.domain, "vda", { timeoutMs: 1500 }).catch((reason: unknown) => reason),
      );
      const queued = other.connectGetType();
      for (const reason of await Promise.all(stuck)) {
        expect(reason).toBeInstanceOf(CallInterrupted);
        expect(reason).toMatchObject({ sent: true });
      }
      expect(await queued).toBe("QEMU");
    } finally {
      process.kill(pid, "SIGCONT");
      await other.close();
    }
  });

  test("domainDestroyFlags() cuts the power, and a managed save stands in the way of undefining", async () => {
    await libvirt.domainDestroyFlags(guest.domain);
    let stopped = await nextOf(events, guest, "lifecycle");
    while (stopped.event !== LIFECYCLE_EVENT.stopped) stopped = await nextOf(events, guest, "lifecycle");
    await libvirt.domainCreateWithFlags(guest.domain);
    await libvirt.domainManagedSave(guest.domain);
    expect(await libvirt.domainHasManagedSaveImage(guest.domain)).toBe(true);
    await expect(libvirt.domainUndefineFlags(guest.domain)).rejects.toMatchObject({
      code: ERROR_CODE.operationInvalid,
      message: /managed save image exists/,
    });
    await libvirt.domainManagedSaveRemove(guest.domain);
  });

  test.skipIf(!canBeSystem)(
    "a full disk tells twice: blockThreshold before, ioErrorReason when it is full",
    async () => {
      const mounted = join(guest.directory, "full");
      const disk = join(mounted, "disk.raw");
      const original = join(guest.directory, "disk.raw");
      // A file system with room for an eighth of the disk, in the daemon's mount namespace: it goes when the daemon goes.
      const script = `mkdir '${mounted}' && mount -t tmpfs -o size=512k,mode=755 tmpfs '${mounted}' &&
      head -c 512 '${original}' > '${disk}' && truncate -s ${DISK_BYTES} '${disk}'`;
      execFileSync("nsenter", ["-m", "-t", String(daemon.pid), "sh", "-c", script]);
      const xml = (await libvirt.domainGetXmlDesc(guest.domain)).replace(original, disk);
      // Starts this one run with another disk, paused; the definition stays.
      const paused = await libvirt.domainCreateXml(xml, 1);
      await libvirt.domainSetBlockThreshold(paused, "vda", 100_000n);
      await libvirt.domainResume(paused);
      expect(await nextOf(events, guest, "blockThreshold")).toMatchObject({
        device: expect.stringMatching(/^vda/),
        path: disk,
        thresholdBytes: 100_000n,
        excessBytes: expect.any(BigInt),
      });
      expect(await nextOf(events, guest, "ioErrorReason")).toMatchObject({
        path: disk,
        action: 1,
        reason: "enospc",
        alias: "virtio-disk0",
      });
      expect(await libvirt.domainGetState(paused)).toEqual({
        state: DOMAIN_STATE.paused,
        reason: PAUSED_REASON.ioError,
      });
      expect(await libvirt.domainGetDiskErrors(paused)).toEqual([{ disk: "vda", error: 2 }]);
      await libvirt.domainDestroyFlags(paused);
    },
  );
});
