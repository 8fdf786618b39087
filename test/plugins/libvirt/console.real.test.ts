// Goal: the console of domains that other programs have defined. Method: domains on the real daemon that virsh defines, with
// a display behind a password, none that can be reached, and none at all.

import { afterAll, beforeAll, expect, inject, test } from "vitest";
import libvirt from "../../../plugins/libvirt/index.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { screenOf } from "../../display/rfb.ts";
import { openTestbed, SYSTEM, type Testbed } from "../../support/vm.ts";
import { pluginContext } from "../../support/world.ts";

const { isos } = inject("guests");
let testbed: Testbed;
let backend: Backend;
let close: () => Promise<void>;
beforeAll(async () => {
  testbed = await openTestbed({ isos: [isos.both] });
  const session = await libvirt.open({ uri: SYSTEM }, pluginContext("local"));
  backend = bindBackend(libvirt, session, "local");
  close = async () => libvirt.close(session);
});
afterAll(async () => {
  await close?.();
  await testbed?.close();
});

async function running(word: string, graphics: string): Promise<string> {
  const { uuid } = await testbed.create(word, { iso_path: testbed.iso(isos.both) });
  await testbed.define((await testbed.xml(uuid)).replace(/<graphics[\s\S]*?<\/graphics>/, graphics));
  await testbed.virsh("start", uuid);
  return uuid;
}

test("a display behind a password is shown without one", async () => {
  const uuid = await running(
    "secret",
    "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='s3c&amp;t'/>",
  );
  const { types, screen, reader } = await screenOf((await backend.display!.console(uuid))!);
  expect([types, screen.width > 300]).toEqual([[1], true]);
  await reader.cancel();
});

test("a display whose password has expired is refused, and the password is not shown", async () => {
  const uuid = await running(
    "expired",
    "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='s3c&amp;t' passwdValidTo='2001-01-01T00:00:00'/>",
  );
  const refused = await backend.display!.console(uuid).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "CONSOLE_UNAVAILABLE",
    details: { reason: expect.stringContaining("refuses") },
  });
  expect(JSON.stringify(refused) + String(refused)).not.toContain("s3c");
});

test.each([
  ["that listens nowhere", "<graphics type='vnc'><listen type='none'/></graphics>"],
  ["that is no VNC", ""],
])("a display %s has no console", async (word, graphics) => {
  const uuid = await running(word.replaceAll(" ", "-"), graphics);
  expect(await backend.display!.console(uuid)).toBeUndefined();
});
