// Goal: a person takes a VM from an installer ISO to its own disk in the page, by clicks alone, on the real thing. Method:
// Chromium on the real server, an unattended installer on libvirt, the plugin that watches installations; what is true is
// what the guest says on its serial line.

import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { waitForLine } from "../support/guest.ts";
import { openHttp } from "../support/http.ts";
import { type Lab, openLab, SYSTEM } from "../support/vm.ts";
import { buildPage, describeInBrowser, logIn, picture } from "./browser.ts";

const { installerIso } = inject("guests");
let lab: Lab;
beforeAll(async () => {
  lab = await openLab({ isos: [installerIso] });
});
afterAll(() => lab?.close());

describeInBrowser("a person at the page", () => {
  test("installs a system, believes the suggestion and boots it from its disk", async () => {
    await buildPage();
    const { directory, iso, name } = lab;
    const settings = ["--images", join(directory, "images"), "--iso-dir", join(directory, "isos")];
    const server = await openHttp({
      data: join(directory, "data"),
      connection: `local=libvirt,uri=${SYSTEM}`,
      settings: [...settings, "--plugin", "installation-watch"],
      env: { XDG_CACHE_HOME: join(directory, "cache") },
    });
    const { page, faults } = await logIn(server.login);
    await page.getByRole("button", { name: "Create VM" }).click();
    await page.getByLabel("Name", { exact: true }).fill(name("page"));
    await page.getByLabel("Installer ISO").selectOption(iso(installerIso));
    await page.getByLabel("Disk in GiB").fill("1");
    await page.getByLabel("Memory in MiB").fill("256");
    await page.getByLabel("CPUs").fill("1");
    await page.getByLabel("Start it at once").check();
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: name("page") }).waitFor({ timeout: 60_000 });
    const states = page.locator(".vm-head .states");
    await expect.poll(() => states.textContent(), { timeout: 30_000 }).toMatch(/Running.*Installing.*confirmed/);

    const { vms } = (await server.ask("GET", "/api/vms")).body;
    const { serial_log: serial } = vms.find((vm: { name: string }) => vm.name === name("page"));
    await waitForLine(serial, /INSTALL-COMPLETE run=1/, { timeoutMs: 120_000 });
    await page.getByText("It looks complete").waitFor({ timeout: 60_000 });
    await picture(page, "libvirt-suggestion");
    await page.getByRole("button", { name: "Complete installation", exact: true }).click();
    await expect.poll(() => states.textContent(), { timeout: 30_000 }).toContain("Installed");
    await page.getByText("The drive is empty.").waitFor();

    await page.getByRole("button", { name: "Cut the power" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cut the power" }).click();
    await page.getByRole("button", { name: "Start", exact: true }).click({ timeout: 60_000 });
    await waitForLine(serial, /BOOTED-FROM-DISK \d+$/, { timeoutMs: 120_000 });
    await expect
      .poll(() => states.textContent(), { timeout: 40_000 })
      .toMatch(/Installed.*Booted from disk \(confirmed\)/);
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    await expect.poll(() => page.getByText(/^Done: Restart/).count(), { timeout: 90_000 }).toBe(1);
    await waitForLine(serial, /BOOTED-FROM-DISK \d+$/, { timeoutMs: 120_000 });
    await picture(page, "libvirt-booted-from-disk");
    expect(faults).toEqual([]);
  }, 300_000);
});
