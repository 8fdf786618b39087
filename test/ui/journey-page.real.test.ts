// Goal: a person takes a VM from an installer ISO to its own disk in the page, by clicks alone and by keys alone, on the real
// thing. Method: Chromium on the real server, an unattended installer on libvirt, the plugin that watches installations;
// what is true is what the guest says on its serial line.
// @module-tag long

import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { waitForLine } from "../support/guest.ts";
import { openHttp } from "../support/http.ts";
import { openTestbed, SYSTEM, type Testbed } from "../support/vm.ts";
import { buildPage, colours, describeInBrowser, logIn, picture } from "./browser.ts";
import { type InputMethod, keyboard, keyboardBackwards, mouse } from "./input-method.ts";

const { installerIso } = inject("guests");
let testbed: Testbed;
beforeAll(async () => {
  testbed = await openTestbed({ isos: [installerIso] });
});
afterAll(() => testbed?.close());

async function visitTestbed() {
  await buildPage();
  const { directory } = testbed;
  const settings = ["--images", join(directory, "images"), "--iso-dir", join(directory, "isos")];
  const server = await openHttp({
    data: join(directory, "data"),
    connection: `local=libvirt,uri=${SYSTEM}`,
    settings: [...settings, "--plugin", "installation-watch"],
    env: { XDG_CACHE_HOME: join(directory, "cache") },
  });
  return { server, ...(await logIn(server.login)) };
}
type Here = Awaited<ReturnType<typeof visitTestbed>>;

const statesOf = ({ page }: Here) => page.locator(".vm-head .states");

/** A small VM that installs; the path of its serial line. */
async function makeVm(here: Here, input: InputMethod, name: string): Promise<string> {
  const { page, server } = here;
  await input.press(page, "button", "Create VM");
  const dialog = page.getByRole("dialog");
  await input.write(dialog, "Name", name);
  const option = dialog.getByLabel("Installer ISO").locator(`option[value="${testbed.iso(installerIso)}"]`);
  await option.waitFor({ state: "attached" });
  await input.choose(page, "Installer ISO", (await option.textContent())!);
  await input.write(dialog, "Disk in GiB", "1");
  await input.write(dialog, "Memory in MiB", "256");
  await input.write(dialog, "CPUs", "1");
  await input.press(dialog, "checkbox", "Start it at once");
  await input.press(dialog, "button", /^Create$/);
  await page.getByRole("heading", { level: 1, name }).waitFor({ timeout: 60_000 });
  const states = statesOf(here);
  await expect.poll(() => states.textContent()).toMatch(/Running.*Installing.*confirmed/);
  const { vms } = (await server.ask("GET", "/api/vms")).body;
  return vms.find((vm: { name: string }) => vm.name === name).serial_log;
}

async function complete(here: Here, input: InputMethod, serial: string, shown: string): Promise<void> {
  const { page } = here;
  await waitForLine(serial, /INSTALL-COMPLETE run=1/, { timeoutMs: 120_000 });
  await page.getByText("It looks complete").waitFor({ timeout: 60_000 });
  await picture(page, shown);
  await input.press(page, "button", /^Complete installation$/);
  await expect.poll(() => statesOf(here).textContent()).toContain("Installed");
  await page.getByText("The drive is empty.").waitFor();
}

/** The installer ignores what asks it to shut down. */
async function cut({ page }: Here, input: InputMethod, inDialog = input): Promise<void> {
  await input.press(page, "button", /^Cut the power$/);
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await inDialog.press(dialog, "button", /^Cut the power$/);
  await page.getByRole("button", { name: "Start", exact: true }).waitFor({ timeout: 60_000 });
}

async function bootFromDisk(here: Here, input: InputMethod, serial: string): Promise<void> {
  await input.press(here.page, "button", /^Start$/);
  await waitForLine(serial, /BOOTED-FROM-DISK \d+$/, { timeoutMs: 120_000 });
  await expect.poll(() => statesOf(here).textContent()).toMatch(/Installed.*Booted from disk \(confirmed\)/);
}

describeInBrowser("a person at the page", () => {
  test("installs a system by clicks alone, believes the suggestion and boots it from its disk", async () => {
    const here = await visitTestbed();
    const { page, faults } = here;
    const serial = await makeVm(here, mouse, testbed.name("page"));
    await complete(here, mouse, serial, "libvirt-suggestion");
    await cut(here, mouse);
    await bootFromDisk(here, mouse, serial);
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    await expect.poll(() => page.getByText(/^Done: Restart/).count(), { timeout: 90_000 }).toBe(1);
    await waitForLine(serial, /BOOTED-FROM-DISK \d+$/, { timeoutMs: 120_000 });
    await picture(page, "libvirt-booted-from-disk");
    expect(faults).toEqual([]);
  }, 300_000);

  test("does by keys alone all that there is to do, from watching the installer's screen to deleting the VM", async () => {
    const here = await visitTestbed();
    const { page, server, faults } = here;
    const name = testbed.name("keys");
    const serial = await makeVm(here, keyboard, name);

    await keyboard.press(page, "button", "Open console");
    await page.getByText("Connected", { exact: true }).waitFor();
    await waitForLine(serial, /MINI-INSTALLER started/);
    // Firmware and boot loader write from the first of 25 lines on, the installer's system from the second.
    const inLines = async () => [await colours(page, 0, 1 / 25), await colours(page)].map((many) => many > 1);
    await expect.poll(inLines, { timeout: 60_000 }).toEqual([false, true]);
    const focused = () => page.evaluate(() => document.activeElement?.tagName);
    expect(await focused()).toBe("CANVAS");
    await picture(page, "keys-console");
    await page.keyboard.press("Control+Alt+Shift");
    expect(await focused()).toBe("BUTTON");
    await keyboard.press(page, "button", "Close console");
    await page.getByRole("button", { name: "Open console" }).waitFor();

    await complete(here, keyboard, serial, "keys-suggestion");
    await cut(here, keyboardBackwards, keyboard);
    await bootFromDisk(here, keyboardBackwards, serial);
    await picture(page, "keys-booted-from-disk");

    await keyboard.write(page, "New size in GiB", "2");
    await page.keyboard.press("Enter");
    await page.locator(".legend").getByText("2 GiB", { exact: true }).waitFor();

    const order = page.getByRole("button", { name: /^Disk, then CD-ROM/ });
    await keyboardBackwards.press(page, "button", /^Disk, then CD-ROM/);
    await expect.poll(() => order.getAttribute("aria-pressed")).toBe("true");
    const undo = page.getByRole("button", { name: /^Undo: .*boot order/i }).first();
    await undo.waitFor();
    await picture(page, "keys-history");
    await keyboard.press(page, "button", /^Undo: /);
    await expect.poll(() => order.getAttribute("aria-pressed")).toBe("false");
    await expect.poll(() => page.getByRole("button", { name: /^Disk only/ }).getAttribute("aria-pressed")).toBe("true");

    await cut(here, keyboardBackwards, keyboard);
    await keyboardBackwards.press(page, "button", "Delete…");
    const dialog = page.getByRole("dialog");
    await keyboard.write(dialog, `Type ${name} to go ahead`, name);
    await expect.poll(() => dialog.getByRole("button", { name: "Delete", exact: true }).isEnabled()).toBe(true);
    await picture(page, "keys-delete", false);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Virtual machines" }).waitFor({ timeout: 60_000 });
    const { vms } = (await server.ask("GET", "/api/vms")).body;
    expect(vms.map((vm: { name: string }) => vm.name)).not.toContain(name);
    expect(faults).toEqual([]);
  }, 400_000);
});
