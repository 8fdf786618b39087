// A daemon that is killed and started again, and one that checks on us by keepalive.

import { setTimeout as wait } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { LIFECYCLE_EVENT, type Libvirt, openLibvirt } from "../../../../plugins/libvirt/client/libvirt.ts";
import { hasLibvirtd, type PrivateDaemon, startDaemon } from "./private-daemon.ts";

const XML = `<domain type='test'><name>web</name><memory>65536</memory><os><type>hvm</type></os></domain>`;
/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE; asking makes libvirtd start its own pings. */
const FEATURE_KEEPALIVE = 10;

describe.skipIf(!hasLibvirtd)("A daemon's restart", () => {
  let daemon: PrivateDaemon;
  let libvirt: Libvirt;
  afterEach(async () => {
    await libvirt.close();
    await daemon.stop();
  });

  test("is followed at the next call, and onReconnect is told", async () => {
    daemon = await startDaemon();
    const logged: string[] = [];
    libvirt = openLibvirt({
      uri: "test:///default",
      socketPath: daemon.socketPath,
      onReconnect: () => logged.push("reconnected"),
      log: (message) => logged.push(message),
    });
    expect(await libvirt.connectGetType()).toBe("TEST");
    await daemon.kill();
    await expect(libvirt.connectGetType()).rejects.toMatchObject({
      name: expect.stringMatching(/^(ConnectFailed|ConnectionLost)$/),
    });
    await expect(libvirt.connectGetType()).rejects.toMatchObject({
      name: "ConnectFailed",
      message: /no daemon listens on the socket/,
    });
    await daemon.start();
    expect(await Promise.all([libvirt.connectGetType(), libvirt.connectGetType()])).toEqual(["TEST", "TEST"]);
    expect(logged).toEqual([
      "connected to libvirt",
      "the connection to libvirt is gone",
      "connected to libvirt",
      "reconnected",
    ]);
  });

  test("shows as a gap in the events, which go on after the next call", async () => {
    daemon = await startDaemon();
    libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath });
    const events = await libvirt.subscribe(["lifecycle"]);
    const before = await libvirt.domainDefineXmlFlags(XML);
    expect((await events.next()).value).toMatchObject({
      kind: "lifecycle",
      domain: before,
      event: LIFECYCLE_EVENT.defined,
    });
    await daemon.kill();
    expect((await events.next()).value).toEqual({ kind: "gap", reason: "disconnected" });
    await daemon.start();
    // The test driver forgets its domains with its process.
    const after = await libvirt.domainDefineXmlFlags(XML);
    expect(after.uuid).not.toBe(before.uuid);
    expect((await events.next()).value).toMatchObject({
      kind: "lifecycle",
      domain: after,
      event: LIFECYCLE_EVENT.defined,
    });
    await libvirt.domainUndefineFlags(after);
    events.close();
  });

  test("fails a call under way as ConnectionLost: its outcome is unknown", async () => {
    daemon = await startDaemon();
    libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath });
    await libvirt.connectGetType();
    process.kill(daemon.pid, "SIGSTOP");
    const call = libvirt.domainDefineXmlFlags(XML);
    const outcome = expect(call).rejects.toMatchObject({
      name: "ConnectionLost",
      procedure: "DOMAIN_DEFINE_XML_FLAGS",
      sent: true,
    });
    // A stopped daemon shows nothing of a call that has reached its socket.
    await wait(50);
    await daemon.kill();
    await outcome;
  });

  test("is noticed in a daemon that hangs", async () => {
    daemon = await startDaemon();
    const keepalive = { intervalMs: 50, count: 3 };
    libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath, keepalive });
    await libvirt.connectGetType();
    // Ten keepalive intervals: a daemon that answers them is not taken for one that hangs.
    await wait(500);
    process.kill(daemon.pid, "SIGSTOP");
    await expect(libvirt.connectGetType()).rejects.toThrow("the daemon has been silent for 200 ms");
  });

  test("does not happen to a client that answers the daemon's pings", async () => {
    daemon = await startDaemon({ settings: ["keepalive_interval = 1", "keepalive_count = 1"] });
    const logged: string[] = [];
    const keepalive = { intervalMs: 0, count: 0 };
    const log = (message: string) => logged.push(message);
    libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath, keepalive, log });
    expect(await libvirt.connectSupportsFeature(FEATURE_KEEPALIVE)).toBe(true);
    // The daemon ends a client that does not answer within 2 s: an interval of 1 s, and one ping more.
    await wait(4500);
    expect(await libvirt.connectGetType()).toBe("TEST");
    expect(logged).toEqual(["connected to libvirt"]);
  });
});
