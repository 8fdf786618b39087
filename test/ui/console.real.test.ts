/** Goal: a person watches and drives an installer's machine in the page. Method: a guest on libvirt, Debian's Chromium, and
 * the guest's own serial line as the witness of what was typed. */
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { fixturesDir, installerIso } from "../fixtures/installer-iso.ts";
import { refusal } from "../support/console.ts";
import { expectNoLine, serialEnd, waitForLine } from "../support/guest.ts";
import { type HttpServer, openHttp } from "../support/http.ts";
import { openTestbed, type Testbed } from "../support/vm.ts";
import { violations } from "./axe.ts";
import { buildPage, colours, describeInBrowser, logIn, picture } from "./browser.ts";

const { installerIso: installer } = inject("guests");
let testbed: Testbed;
let live: string;
beforeAll(async () => {
  live = await installerIso(fixturesDir, { medium: "live" });
  testbed = await openTestbed({ isos: [installer, live] });
  await buildPage();
}, 300_000);
afterAll(() => testbed?.close());

/** A server over HTTP, which has the testbed's images and a database of its own. */
function serve(): Promise<HttpServer> {
  const { directory } = testbed;
  return openHttp({
    data: join(directory, `http-${crypto.randomUUID().slice(0, 8)}`),
    settings: [
      ...["--images", join(directory, "images"), "--iso-dir", join(directory, "isos")],
      ...["--connection", "real=libvirt,uri=qemu:///system"],
    ],
  });
}

async function runningVm({ ask }: HttpServer, word: string, iso: string) {
  const small = { memory_mb: 256, disk_size_gb: 1, cpus: 1, network: "none", acceleration: "tcg" };
  const name = testbed.name(word);
  const made = await ask("POST", "/api/vms", { name, connection: "real", iso_path: testbed.iso(iso), ...small });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const { uuid, serial_log: serial } = made.body.vm as { uuid: string; serial_log: string };
  expect((await ask("POST", `/api/vms/${uuid}/start`, {})).status).toBe(200);
  return { name, uuid, serial };
}

async function openConsole(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name }).click();
  await page.getByRole("button", { name: "Open console" }).click();
  await page.getByText("Connected", { exact: true }).waitFor();
}

/** As on a keyboard whose signs are where an English one has them, no faster than the machine's own takes it. */
async function type(page: Page, text: string): Promise<void> {
  const keys = { ">": "Shift+Period", "\n": "Enter" } as Readonly<Record<string, string>>;
  for (const sign of text)
    await page.keyboard.press(keys[sign] ?? (/[A-Z]/.test(sign) ? `Shift+Key${sign}` : sign), { delay: 20 });
}

/** Has the guest's shell say something on the serial line. */
async function say(page: Page, serial: string, words: string): Promise<void> {
  await type(page, `echo ${words} > /dev/ttyS0\n`);
  await waitForLine(serial, new RegExp(words), { timeoutMs: 20_000 });
}

describeInBrowser("the console in the page", () => {
  it("shows an installer at work", async () => {
    const server = await serve();
    const { name, uuid, serial } = await runningVm(server, "watched", installer);
    const { page, faults } = await logIn(server.login);
    await openConsole(page, name);
    await waitForLine(serial, /MINI-INSTALLER started/);
    await expect.poll(() => colours(page)).toBeGreaterThan(1);
    await picture(page, "console-installer");
    await waitForLine(serial, /INSTALL-COMPLETE run=1/);
    await testbed.virsh("destroy", uuid);
    await page.getByText("Ended: the VM has stopped.").waitFor();
    const { body } = await server.ask("GET", `/api/events/history?vm=${uuid}&type=console.closed`);
    expect(body.events[0].data).toMatchObject({ by: "http:main", reason: expect.stringContaining("stopped") });
    await picture(page, "console-ended");
    expect(faults).toEqual([]);
  });

  it("takes keys to the guest, and gives them back", async () => {
    const server = await serve();
    const { name, uuid, serial } = await runningVm(server, "typed", live);
    const { page, faults } = await logIn(server.login);
    await openConsole(page, name);
    const prompt = await waitForLine(serial, /\/ #/, { unfinished: true });
    // Both lines get their shells in the same moment; until the screen's is there, keys are lost.
    await expect
      .poll(async () => {
        await type(page, "echo here > /dev/ttyS0\n");
        return waitForLine(serial, /here/, { after: prompt.end, timeoutMs: 2_000 }).catch(() => undefined);
      })
      .toBeDefined();
    await say(page, serial, "typed in the page");
    await picture(page, "console-typed");

    await page.keyboard.press("Control+Alt+Shift");
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    expect(await focused()).toBe("Type into the screen");
    // No key stays pressed in the guest.
    await page.keyboard.press("Enter");
    await say(page, serial, "typed again");

    await page.getByRole("button", { name: "Fill the window" }).click();
    const box = await page.locator(".console").boundingBox();
    expect([box!.width, box!.height]).toEqual([1280, 860]);
    await picture(page, "console-full");
    await page.getByRole("button", { name: "Back to the page" }).click();

    await page.getByRole("checkbox", { name: "Only watch" }).check();
    await page.locator(".console-screen canvas").click();
    await type(page, "echo while watching > /dev/ttyS0\n");
    await expectNoLine(serial, /while watching/, 2_000);
    await page.getByRole("checkbox", { name: "Only watch" }).uncheck();

    const before = await serialEnd(serial);
    await page.getByRole("button", { name: "Ctrl+Alt+Del" }).click();
    await waitForLine(serial, /LIVE/, { after: before });

    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Close console" }).click();
    await page.getByRole("button", { name: "Open console" }).waitFor();
    expect(await focused()).toBe("Open console");
    const { body } = await server.ask("POST", `/api/vms/${uuid}/console`);
    const url = server.url + body.path;
    const { token } = server;
    expect(await refusal(url, { token, headers: { origin: "http://evil.example" } })).toMatchObject({ status: 403 });
    expect(await refusal(url, { token: null })).toMatchObject({ status: 401 });
    expect(faults).toEqual([]);
  });
});
