// Goal: what another program does to a definition is told although libvirt tells nothing of it. Method: virsh is the other
// program, and a watcher that hears no events compares what it sees with what was last told.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import libvirt from "../../../plugins/libvirt/index.ts";
import type { LibvirtSession } from "../../../plugins/libvirt/session.ts";
import { watchConnection } from "../../../src/domain/events/watch.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { openSqliteStore, type SqliteStore } from "../../../src/store/sqlite/store.ts";
import { makeDisk } from "../../fixtures/boot-images.ts";
import { openTestbed, SYSTEM, type Testbed } from "../../support/vm.ts";
import { pluginContext } from "../../support/world.ts";

describe("a watcher that hears nothing", () => {
  let testbed: Testbed;
  let session: LibvirtSession;
  let store: SqliteStore;
  const ending = new AbortController();
  let watching: Promise<void>;
  beforeAll(async () => {
    testbed = await openTestbed({ unwatched: true });
    session = await libvirt.open({ uri: SYSTEM }, pluginContext("local"));
    const images = join(testbed.directory, "images");
    const newId = () => crypto.randomUUID();
    store = await openSqliteStore({
      directory: join(testbed.directory, "watcher"),
      imageDirectory: images,
      connection: "local",
      newId,
    });
    const { events: _deaf, ...backend } = bindBackend(libvirt, session, "local");
    watching = watchConnection(
      {
        connection: "local",
        backend: async () => backend,
        store,
        newId,
        now: () => new Date(),
        log: () => {},
        everyMs: 200,
      },
      ending.signal,
    );
  });
  afterAll(async () => {
    ending.abort();
    await watching;
    await store?.close();
    if (session) await libvirt.close(session);
    await testbed?.close();
  });

  test("tells of a device that is added, of a new name, and of a definition that goes and comes", async () => {
    await expect.poll(() => store.isWatched("local")).toBe(true);
    const { name, uuid } = await testbed.create("silent", {});
    const reported = async () =>
      (await store.events())
        .filter(({ event }) => event.subject === uuid && event.type === "vm.changed_elsewhere")
        .map(({ event }) => event.data.what);
    const expectReported = (...what: string[]) => expect.poll(reported).toEqual(what);
    await expectReported("defined");
    const path = join(testbed.directory, "images", "second.qcow2");
    await makeDisk(path, { format: "qcow2" });
    await testbed.virsh("attach-disk", name, path, "vdb", "--config", "--subdriver", "qcow2");
    await expectReported("defined", "redefined");
    await testbed.virsh("domrename", name, `${name}-b`);
    await expectReported("defined", "redefined", "renamed");
    const xml = await testbed.virsh("dumpxml", "--inactive", "--security-info", `${name}-b`);
    await testbed.virsh("undefine", `${name}-b`);
    await expectReported("defined", "redefined", "renamed", "undefined");
    await testbed.define(xml);
    await expectReported("defined", "redefined", "renamed", "undefined", "defined");
  });
});
