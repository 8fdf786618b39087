import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type KeepaliveOptions, openLibvirt } from "../../../plugins/libvirt/client/libvirt.ts";
import libvirt from "../../../plugins/libvirt/index.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { watcherOf } from "../../support/watcher.ts";
import { pluginContext } from "../../support/world.ts";
import { hasLibvirtd, type PrivateDaemon, startDaemon } from "./client/private-daemon.ts";

describe.skipIf(!hasLibvirtd)("watching a daemon that goes away", () => {
  let daemon: PrivateDaemon;
  beforeEach(async () => {
    daemon = await startDaemon();
  });
  afterEach(() => daemon.stop());
  const open = async (keepalive?: KeepaliveOptions) => {
    const uri = `${daemon.qemuUri}?socket=${daemon.socketPath}`;
    const opened = await libvirt.open({ uri }, pluginContext("away"));
    const own = keepalive ? { ...opened, libvirt: openLibvirt({ uri, keepalive }) } : opened;
    onTestFinished(async () => {
      await libvirt.close(own);
      await libvirt.close(opened);
    });
    return bindBackend(libvirt, own, "away");
  };

  test("ends when it is killed, and can be watched again once it is back", async () => {
    const away = await open();
    const first = await watcherOf(away);
    await daemon.kill();
    await first.ended;
    const refused = away.events!.watch(() => {}, new AbortController().signal);
    await expect(refused).rejects.toMatchObject({ code: "BACKEND_UNAVAILABLE" });
    await daemon.start();
    const again = await watcherOf(away);
    expect(again.hints).toEqual([{}]);
    await again.stop();
  });

  test("ends when it hangs, by the keepalive", async () => {
    const { ended } = await watcherOf(await open({ intervalMs: 100, count: 3 }));
    process.kill(daemon.pid, "SIGSTOP");
    const since = performance.now();
    await ended;
    expect(performance.now() - since).toBeLessThan(5_000);
  });
});
