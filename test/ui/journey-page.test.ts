/** A person's whole way from an installer ISO to a system on its own disk: once by mouse, once by keys alone. */
// @module-tag process
import { expect, it } from "vitest";
import { describeInBrowser, picture, type Visit, visit } from "./browser.ts";
import { type InputMethod, keyboard, mouse } from "./input-method.ts";
import { seeded } from "./seed.ts";

async function takeToDisk(
  { server, page, faults }: Visit,
  input: InputMethod,
  outside: () => void,
  name: string,
): Promise<void> {
  await input.press(page, "button", "Create VM");
  await input.write(page, "Name", "web");
  await page.getByLabel("Installer ISO").locator("option").nth(1).waitFor({ state: "attached" });
  await input.choose(page, "Installer ISO", "installer.iso (INSTALLER)");
  await input.press(page, "checkbox", "Start it at once");
  await input.press(page, "button", /^Create$/);
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
  await input.press(page, "button", /^Complete installation$/);
  await expect.poll(() => states.textContent()).toContain("Installed");
  await expect.poll(() => page.getByRole("button", { name: /^Disk only/ }).getAttribute("aria-pressed")).toBe("true");
  await page.getByText("The drive is empty.").waitFor();

  await input.press(page, "button", /^Restart$/);
  await expect.poll(() => states.textContent()).toContain("Booted from disk");
  await picture(page, `${name}-booted-from-disk`);
  await input.press(page, "link", /All VMs/);
  await input.press(page, "link", "web");
  await page.getByRole("heading", { level: 1, name: "web" }).waitFor();
  expect(faults).toEqual([]);
}

describeInBrowser("a person", () => {
  it.each([
    ["by mouse", mouse],
    ["by keyboard alone", keyboard],
  ] as const)("takes a VM from an installer to its own disk %s", async (name, input) => {
    const { server: at, outside } = seeded({}, "installerHonoursShutdown=true");
    const here = await visit({ server: at });
    const installs = async () => (await here.server.ask("GET", "/api/vms")).body.vms[0].uuid as string;
    let uuid = "";
    here.page.on("framenavigated", () => {
      uuid = new URL(here.page.url()).hash.slice("#/vms/".length) || uuid;
    });
    await takeToDisk(here, input, () => outside(["guestInstalls", uuid]), name.replaceAll(" ", "-"));
    expect(await installs()).toBe(uuid);
  });
});
