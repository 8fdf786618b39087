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
import { type Lab, openLab, SYSTEM } from "../../support/vm.ts";
import { pluginContext } from "../../support/world.ts";

describe("a watcher that hears nothing", () => {
  let lab: Lab;
  let session: LibvirtSession;
  let store: SqliteStore;
  const ending = new AbortController();
  let watching: Promise<void>;
  beforeAll(async () => {
    lab = await openLab({ unwatched: true });
    session = await libvirt.open({ uri: SYSTEM }, pluginContext("local"));
    const images = join(lab.directory, "images");
    const newId = () => crypto.randomUUID();
    store = await openSqliteStore({
      directory: join(lab.directory, "watcher"),
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
    await lab?.close();
  });

  test("tells of a device that is added, of a new name, and of a definition that goes and comes", async () => {
    await expect.poll(() => store.isWatched("local")).toBe(true);
    const { name, uuid } = await lab.create("silent", {});
    const told = async () =>
      (await store.events())
        .filter(({ event }) => event.subject === uuid && event.type === "vm.changed_elsewhere")
        .map(({ event }) => event.data.what);
    const tells = (...what: string[]) => expect.poll(told).toEqual(what);
    await tells("defined");
    const path = join(lab.directory, "images", "second.qcow2");
    await makeDisk(path, { format: "qcow2" });
    await lab.virsh("attach-disk", name, path, "vdb", "--config", "--subdriver", "qcow2");
    await tells("defined", "redefined");
    await lab.virsh("domrename", name, `${name}-b`);
    await tells("defined", "redefined", "renamed");
    const xml = await lab.virsh("dumpxml", "--inactive", "--security-info", `${name}-b`);
    await lab.virsh("undefine", `${name}-b`);
    await tells("defined", "redefined", "renamed", "undefined");
    await lab.define(xml);
    await tells("defined", "redefined", "renamed", "undefined", "defined");
  });
});
