/** One VM's page: what is refused and why, what is asked before something is lost, what is taken back, and texts that
 * guests and other people have written. */
// @module-tag process
import { expect, it } from "vitest";
import { foreign, seedOf, uuid } from "../tools/harness.ts";
import { describeInBrowser, picture, visit } from "./browser.ts";
import { seeded } from "./seed.ts";

const EVIL = `"><img src=x onerror="globalThis.harmed=1"><script>globalThis.harmed=1</script>`;

describeInBrowser("a VM's page", () => {
  it("shows a refusal as the server says it, with what helps", async () => {
    const { page, server } = await visit();
    await server.ask("POST", "/api/vms", { name: "web" });
    await page.getByRole("link", { name: "web" }).click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const alert = page.getByRole("alert").filter({ hasText: "BLOCKED_BY_FINDINGS" });
    await alert.waitFor();
    expect(await alert.textContent()).toContain("NOTHING_BOOTS");
    await picture(page, "refusal");
    await alert.getByRole("button", { name: "Choose an ISO" }).click();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("iso-search");
    await page.keyboard.type("live");
    await expect.poll(() => page.locator(".iso").count()).toBe(1);
    await page.locator(".iso").click();
    await expect.poll(() => page.locator(".drive").textContent()).toContain("live.iso");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.locator(".vm-head").getByText("Running").waitFor();
  });

  it("deletes a VM only once its name is typed, and says what is lost", async () => {
    const { page, server } = await visit();
    const { body } = await server.ask("POST", "/api/vms", { name: "web" });
    await page.getByRole("link", { name: "web" }).click();
    await page.getByRole("button", { name: "Delete…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    expect(await dialog.textContent()).toContain(body.vm.disk_path);
    const go = dialog.getByRole("button", { name: "Delete", exact: true });
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByRole("textbox").fill("wep");
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByRole("textbox").fill("web");
    await picture(page, "delete", false);
    await go.click();
    await page.getByText("There are no VMs yet.").waitFor();
    expect((await server.ask("GET", "/api/vms")).body.total).toBe(0);
  });

  it("cuts the power only once somebody has agreed, and not when the dialog is closed", async () => {
    const { page, server } = await visit();
    const { body } = await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", `/api/vms/${body.vm.uuid}/start`, {});
    await page.getByRole("link", { name: "web" }).click();
    await page.getByRole("button", { name: "Cut the power" }).click();
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    expect((await server.ask("GET", `/api/vms/${body.vm.uuid}`)).body.power).toBe("running");
    await page.getByRole("button", { name: "Cut the power" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cut the power" }).click();
    await page.locator(".vm-head").getByText("Off", { exact: true }).waitFor();
  });

  it("undoes from the history, grows a disk, and follows a finding's fix", async () => {
    const { page, server } = await visit();
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await page.getByRole("link", { name: "web" }).click();
    await page.locator(".isos").getByText("drivers.iso").click();
    await expect.poll(() => page.locator(".drive strong").textContent()).toBe("drivers.iso");
    await page.locator(".finding").filter({ hasText: "no El Torito boot record" }).waitFor();
    await page
      .getByRole("button", { name: /^Undo:/ })
      .first()
      .click();
    await expect.poll(() => page.locator(".drive strong").textContent()).toBe("installer.iso");
    await page.getByLabel("New size in GiB").fill("32");
    await page.getByRole("button", { name: "Grow", exact: true }).click();
    await page.locator(".legend").getByText("32 GiB").waitFor();
    await page.getByRole("button", { name: "Eject", exact: true }).click();
    const finding = page.locator(".finding").filter({ hasText: "its tray is empty" });
    await finding.waitFor();
    await page.getByRole("button", { name: "Check the image" }).click();
    await page.getByText("The image was checked: no errors.").waitFor();
    await page.getByRole("button", { name: /^Disk, then CD-ROM/ }).click();
    await expect
      .poll(() => page.getByRole("button", { name: /^Disk, then CD-ROM/ }).getAttribute("aria-pressed"))
      .toBe("true");
    await finding.waitFor({ state: "detached" });
  });

  it("keeps the focus where it was when something is done, or goes to the VM where that is gone", async () => {
    const { page, server } = await visit();
    await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await page.getByRole("link", { name: "web" }).click();
    await expect.poll(() => page.title()).toBe("web – Bootwright");
    const order = page.getByRole("button", { name: /^Disk, then CD-ROM/ });
    await order.focus();
    await page.keyboard.press("Enter");
    await page.getByText(/^Done: Boot order/).waitFor();
    await expect.poll(() => order.evaluate((element) => element === document.activeElement)).toBe(true);
    // The button goes while the page still looks after the focus of what was done before.
    const until = Date.now() + 3_600;
    await page.route(/\/api\/vms\/[^/]+$/, async (route) => {
      await page.waitForTimeout(Math.max(0, until - Date.now()));
      await route.continue();
    });
    await page.getByRole("button", { name: "Start", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByText(/^Done: Start/).waitFor();
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
  });

  it("only looks at a VM that is not managed, until it is adopted", async () => {
    const { server: at } = seeded(seedOf(foreign(1, "database")));
    const { page } = await visit({ server: at });
    await page.getByRole("button", { name: "Not managed", exact: true }).click();
    await page.getByRole("link", { name: "database" }).click();
    expect(await page.getByRole("button", { name: /^CD-ROM only/ }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Adopt this VM" }).click();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  });

  it("renders what guests and other people write as text and nothing else", async () => {
    const odd = foreign(1, "odd");
    const { server: at } = seeded({
      vms: [{ ...odd.vm, name: EVIL }],
      disks: [odd.disk],
      isos: [
        {
          path: `/memory/isos/${EVIL.replaceAll("/", "")}.iso`,
          volumeLabel: "<img onerror=harmed=1 src=x>",
          bootsBios: true,
          installs: true,
        },
        { path: "installer.iso", bootsBios: true, installs: true },
      ],
    });
    const { page, server, faults } = await visit({ server: at });
    await page.locator(".vm-row .name").filter({ hasText: "<script>" }).waitFor();
    const { body } = await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await server.ask("POST", `/api/vms/${body.vm.uuid}/start`, {});
    await server.ask("POST", `/api/vms/${body.vm.uuid}/suggest-completion`, { evidence: EVIL });
    await page.getByRole("link", { name: "web", exact: true }).click();
    await page.locator(".suggestion").filter({ hasText: "<script>" }).waitFor();
    await page.locator(".iso").filter({ hasText: "<img" }).first().waitFor();
    await page.evaluate(
      (hash) => {
        location.hash = hash;
      },
      `#/vms/${uuid(1)}`,
    );
    await page.getByRole("heading", { level: 1 }).filter({ hasText: "<script>" }).waitFor();
    await page.locator(".isos li").first().waitFor();
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await page.evaluate(() => (globalThis as { harmed?: unknown }).harmed)).toBe(undefined);
    expect(faults).toEqual([]);
  });

  it("runs no script that somebody brings in: the policy allows the server's own alone", async () => {
    const { page } = await visit();
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.harmed = 1";
      document.body.append(script);
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.body.append(style);
      if (getComputedStyle(document.body).display === "none") return "styled";
      const button = document.createElement("button");
      button.setAttribute("onclick", "globalThis.harmed = 1");
      document.body.append(button);
      button.click();
      return (globalThis as { harmed?: unknown }).harmed;
    });
    expect(ran).toBe(undefined);
  });
});
