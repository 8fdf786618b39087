// Goal: a call completes the VM's installation or says nothing of why not, and asks to be made again where that may help.
// Method: the plugin's own function, and tools that refuse. What it cannot see: the way to it (guest-link.test.ts,
// phone-home.real.test.ts).

import { describe, expect, test } from "vitest";
import plugin from "../../plugins/phone-home/index.ts";
import { ToolRefused } from "../../src/plugin.ts";
import { openPlugin } from "../../src/plugin-test.ts";

const vm = "local/0a6b7f52-1111-4222-8333-444455556666";
const request = (body = "hostname=web") =>
  new Request("http://guest.invalid/plugins/phone-home/", { method: "POST", body });
const refusedWith = (code: string) => () => {
  throw new ToolRefused(code, "Cannot do it: a secret reason", {});
};
const partsOf = async (response: Response) => [
  response.status,
  await response.text(),
  response.headers.get("retry-after"),
];

test.each([
  [{}, { vm, detach_iso: false }],
  [
    { "boot-order": "hd", "detach-iso": "true" },
    { vm, detach_iso: true, boot_order: "hd" },
  ],
  [{ "detach-iso": false }, { vm, detach_iso: false }],
])("a call completes the installation as the settings %o say", async (settings, args) => {
  const opened = await openPlugin(plugin, settings, { complete_installation: () => ({ changed: true }) });
  expect(await partsOf(await opened.request(request(), { vm }))).toEqual([200, "installation complete\n", null]);
  expect(opened.calls).toEqual([{ tool: "complete_installation", args }]);
});

test("a tray that the guest holds does not keep the installation from being complete", async () => {
  const opened = await openPlugin(
    plugin,
    { "boot-order": "hd", "detach-iso": "yes" },
    { complete_installation: ({ detach_iso }) => (detach_iso ? refusedWith("TRAY_LOCKED")() : { changed: true }) },
  );
  expect((await opened.request(request(), { vm })).status).toBe(200);
  expect(opened.calls.at(-1)!.args).toEqual({ vm, boot_order: "hd" });
  expect(opened.lines).toEqual([expect.stringContaining("the ISO, which stays in the drive")]);
});

describe("a refusal", () => {
  test.each(["VM_BUSY", "BACKEND_UNAVAILABLE", "VM_CHANGED_MEANWHILE"])(
    "with %s asks for another try",
    async (code) => {
      const opened = await openPlugin(plugin, {}, { complete_installation: refusedWith(code) });
      expect(await partsOf(await opened.request(request(), { vm }))).toEqual([503, "try again\n", "10"]);
    },
  );

  test("with any other code is logged, and not told to the guest", async () => {
    const opened = await openPlugin(plugin, {}, { complete_installation: refusedWith("VM_NOT_FOUND") });
    expect(await partsOf(await opened.request(request(), { vm }))).toEqual([409, "not now\n", null]);
    expect(opened.lines).toEqual([
      `cannot complete the installation of ${vm}, whose guest called: VM_NOT_FOUND: Cannot do it: a secret reason`,
    ]);
  });
});

test("a request that no link let in is not found, and calls nothing", async () => {
  const opened = await openPlugin(plugin);
  expect((await opened.request(request())).status).toBe(404);
  expect(opened.calls).toEqual([]);
});

test("a call logs nothing that the guest sends", async () => {
  const opened = await openPlugin(
    plugin,
    { "detach-iso": "true" },
    { complete_installation: refusedWith("TRAY_LOCKED") },
  );
  await opened.request(request("hostname=4711-mark&pub_key_rsa=4711-mark"), { vm });
  expect([...opened.lines, JSON.stringify(opened.calls)].join()).not.toContain("4711-mark");
});
