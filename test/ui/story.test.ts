/** A person's whole way from an installer ISO to a system on its own disk: once by mouse, once by keys alone. */
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { describeInBrowser, picture, type Visit, visit } from "./browser.ts";
import { seeded } from "./seed.ts";

/** What a person does with each of the ways to reach a control. */
type Hand = Readonly<{
  press: (page: Page, role: "button" | "link" | "checkbox", name: string | RegExp) => Promise<void>;
  write: (page: Page, label: string, text: string) => Promise<void>;
  choose: (page: Page, label: string, option: string) => Promise<void>;
}>;

const mouse: Hand = {
  press: (page, role, name) => page.getByRole(role, { name }).first().click(),
  write: (page, label, text) => page.getByLabel(label, { exact: true }).fill(text),
  async choose(page, label, option) {
    await page.getByLabel(label).selectOption(option);
  },
};

/** Goes from control to control until it is at the one that is meant, as long as it takes to go round once. */
async function tabTo(page: Page, isThere: () => Promise<boolean>, what: string): Promise<void> {
  for (let steps = 0; steps < 150; steps += 1) {
    if (await isThere()) {
      const ring = await page.evaluate(() => {
        const { activeElement } = document;
        const row = activeElement?.closest(".vm-row");
        return [activeElement, row].some((one) => one && getComputedStyle(one).outlineStyle !== "none");
      });
      expect(ring, `where the focus is, at ${what}, can be seen`).toBe(true);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`no key leads to ${what}`);
}
const isFocused = (page: Page, role: "button" | "link" | "checkbox", name: string | RegExp) => () =>
  page
    .getByRole(role, { name })
    .first()
    .evaluate((element) => element === document.activeElement);

const keys: Hand = {
  async press(page, role, name) {
    const control = page.getByRole(role, { name }).first();
    await control.waitFor();
    await expect.poll(() => control.isEnabled()).toBe(true);
    await tabTo(page, isFocused(page, role, name), String(name));
    await page.keyboard.press(role === "checkbox" ? "Space" : "Enter");
  },
  async write(page, label, text) {
    const field = page.getByLabel(label, { exact: true });
    await tabTo(page, () => field.evaluate((element) => element === document.activeElement), label);
    await page.keyboard.type(text);
  },
  async choose(page, label, option) {
    const field = page.getByLabel(label);
    await field
      .locator(`option[value$="${option}"], option:text-is("${option}")`)
      .first()
      .waitFor({ state: "attached" });
    await tabTo(page, () => field.evaluate((element) => element === document.activeElement), label);
    await page.keyboard.type(option);
  },
};

async function tell({ server, page, faults }: Visit, hand: Hand, outside: () => void, name: string): Promise<void> {
  await hand.press(page, "button", "Create VM");
  await hand.write(page, "Name", "web");
  await page.getByLabel("Installer ISO").locator("option").nth(1).waitFor({ state: "attached" });
  await hand.choose(page, "Installer ISO", "installer.iso (INSTALLER)");
  await hand.press(page, "checkbox", "Start it at once");
  await hand.press(page, "button", /^Create$/);
  await page.getByRole("heading", { level: 1, name: "web" }).waitFor();
  const states = page.locator(".vm-head .states");
  await expect.poll(() => states.textContent()).toMatch(/Running.*Installing.*CD-ROM/);
  expect(await page.getByRole("button", { name: /^Disk only/ }).textContent()).toContain("Nothing would boot");

  // The guest is done, and somebody tells.
  outside();
  const { vms } = (await server.ask("GET", "/api/vms")).body;
  await server.ask("POST", `/api/vms/${vms[0].uuid}/suggest-completion`, { evidence: "the serial line said so" });
  await page.getByText("It looks complete").waitFor();
  await picture(page, `${name}-suggestion`);
  await hand.press(page, "button", /^Complete installation$/);
  await expect.poll(() => states.textContent()).toContain("Installed");
  await expect.poll(() => page.getByRole("button", { name: /^Disk only/ }).getAttribute("aria-pressed")).toBe("true");
  await page.getByText("The drive is empty.").waitFor();

  await hand.press(page, "button", /^Restart$/);
  await expect.poll(() => states.textContent(), { timeout: 15_000 }).toContain("Booted from disk");
  await picture(page, `${name}-booted-from-disk`);
  await hand.press(page, "link", /All VMs/);
  await hand.press(page, "link", "web");
  await page.getByRole("heading", { level: 1, name: "web" }).waitFor();
  expect(faults).toEqual([]);
}

describeInBrowser("a person", () => {
  it.each([
    ["by mouse", mouse],
    ["by keys alone", keys],
  ] as const)("takes a VM from an installer to its own disk %s", async (name, hand) => {
    const { server: at, outside } = seeded({}, "installerHonoursShutdown=true");
    const here = await visit({ server: at });
    const installs = async () => (await here.server.ask("GET", "/api/vms")).body.vms[0].uuid as string;
    let uuid = "";
    here.page.on("framenavigated", () => {
      uuid = new URL(here.page.url()).hash.slice("#/vms/".length) || uuid;
    });
    await tell(here, hand, () => outside(["guestInstalls", uuid]), name.replaceAll(" ", "-"));
    expect(await installs()).toBe(uuid);
  });
});
