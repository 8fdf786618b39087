/** The page for everybody: by ear, in the dark, on a phone, in Korean. */
// @module-tag process
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { changes } from "../../src/domain/changes/catalogue.ts";
import type { ChangeDefinition } from "../../src/domain/changes/change.ts";
import { errorCodes } from "../../src/domain/error.ts";
import { findingCodes } from "../../src/domain/model/finding.ts";
import type { State } from "../../src/domain/model/state.ts";
import { httpCodes } from "../../src/serve/http/http-error.ts";
import { loginWords } from "../../src/serve/http/login.ts";
import { en } from "../../ui/language/en.ts";
import { ko } from "../../ui/language/ko.ts";
import { en as pageEn } from "../../ui/language/page-en.ts";
import { ko as pageKo } from "../../ui/language/page-ko.ts";
import { findings, refusals, toKorean } from "../../ui/language/server-text-ko.ts";
import { foreign, seedOf, uuid } from "../tools/harness.ts";
import { violations } from "./axe.ts";
import { describeInBrowser, picture, visit } from "./browser.ts";
import { seeded } from "./seed.ts";

const somebodysVms = () =>
  seeded(
    seedOf(foreign(1, "database", { running: true }), foreign(2, "mail"), foreign(3, "shop", { content: "blank" })),
  );

/** Opens the page with VMs of every kind in it, one of them with a suggestion and a pending change. */
async function furnished(browser: NonNullable<Parameters<typeof visit>[0]>["browser"]) {
  const here = await visit({ server: somebodysVms().server, ...(browser && { browser }) });
  const { server } = here;
  await server.ask("POST", "/api/vms/adopt", { vm: "mail" });
  await server.ask("POST", "/api/vms/adopt", { vm: "shop" });
  const made = await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
  const web = made.body.vm.uuid as string;
  await server.ask("POST", `/api/vms/${web}/start`, {});
  await server.ask("POST", `/api/vms/${web}/suggest-completion`, { evidence: "the serial line said so" });
  await server.ask("POST", `/api/vms/${web}/boot-order`, { boot_order: "hd_cdrom" });
  return { ...here, web };
}

const at = async (page: Page, id: string, name: string) => {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/vms/${id}`);
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.locator(".space").waitFor();
  await page.locator(".order small").filter({ hasText: /\S/ }).first().waitFor();
  await page.locator(".timeline li").first().waitFor();
};

describeInBrowser("the page", () => {
  it.each(["light", "dark"] as const)("has nothing that axe finds wrong, %s", async (colorScheme) => {
    const { page, web, faults } = await furnished({ colorScheme });
    await page.getByRole("link", { name: "web", exact: true }).waitFor();
    expect(await violations(page)).toEqual([]);
    await picture(page, `list-${colorScheme}`);
    await page.getByRole("button", { name: "Create VM" }).click();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    await at(page, web, "web");
    expect(await violations(page)).toEqual([]);
    await picture(page, `vm-${colorScheme}`);
    // A refusal, and what is asked before something is lost.
    await page.getByRole("button", { name: /^CD-ROM only/ }).click();
    await page.getByText(/^Done: /).waitFor();
    await page.getByRole("button", { name: "Cut the power" }).click();
    await page.getByRole("dialog").waitFor();
    expect(await violations(page)).toEqual([]);
    await picture(page, `confirm-${colorScheme}`, false);
    await page.keyboard.press("Escape");
    await page.evaluate(
      (hash) => {
        location.hash = hash;
      },
      `#/vms/${uuid(1)}`,
    );
    await page.getByRole("button", { name: "Adopt this VM" }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect(faults).toEqual([]);
  });

  it("takes the colours that are chosen, whatever the system's are", async () => {
    const { page } = await visit({ browser: { colorScheme: "light" } });
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.getByLabel("Colours").selectOption("dark");
    expect(await background()).not.toBe(light);
    await page.reload();
    expect(await background()).not.toBe(light);
    await page.getByLabel("Colours").selectOption("auto");
    expect(await background()).toBe(light);
  });

  it.each([
    ["en", pageEn],
    ["ko", pageKo],
  ])("fits a screen of 360 pixels, %s", async (locale, words) => {
    const { page, web } = await furnished({ viewport: { width: 360, height: 740 }, locale });
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.getByRole("link", { name: "web", exact: true }).waitFor();
    expect(await overflow()).toBe(0);
    await picture(page, `list-360-${locale}`);
    await page.getByRole("button", { name: words.list.create }).click();
    expect(await overflow()).toBe(0);
    await picture(page, `create-360-${locale}`, false);
    await page.keyboard.press("Escape");
    await at(page, web, "web");
    expect(await overflow()).toBe(0);
    await picture(page, `vm-360-${locale}`);
  });

  it("speaks Korean where the browser does, and has what the server says in English below its own words", async () => {
    const { page, web } = await furnished({ locale: "ko-KR" });
    expect(await page.locator(".vm-row .message").first().textContent()).toMatch(/^[가-힣]/);
    await page.getByRole("link", { name: "web", exact: true }).click();
    await at(page, web, "web");
    expect(await page.locator("html").getAttribute("lang")).toBe("ko");
    expect(await page.getByRole("button", { name: /^디스크만/ }).count()).toBe(1);
    const finding = page.locator(".finding").first();
    expect(await finding.locator(".translated").textContent()).toMatch(/^[가-힣]/);
    expect(await finding.locator(".translated + [lang=en]").textContent()).toMatch(/[a-z]{3}/);
    await page.getByRole("button", { name: ko.vm.cut }).click();
    const loss = page.getByRole("dialog").locator(".losses li").first();
    expect(await loss.locator(".translated").textContent()).toContain("게스트의 메모리");
    expect(await loss.locator(".translated + [lang=en]").textContent()).toContain("the running guest's memory");
    await picture(page, "confirm-korean", false);
    await page.keyboard.press("Escape");
    await picture(page, "vm-korean");
    await page.getByLabel("언어").selectOption("en");
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    expect(await page.locator(".translated").count()).toBe(0);
    await page.getByRole("button", { name: /^Disk only/ }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: /^Disk only/ }).waitFor();
  });

  it("says in Korean why something is refused", async () => {
    const { page, server } = await visit({ browser: { locale: "ko-KR" } });
    await server.ask("POST", "/api/vms", { name: "web" });
    await page.getByRole("link", { name: "web", exact: true }).click();
    await page.getByRole("button", { name: ko.vm.start, exact: true }).click();
    const alert = page.getByRole("alert").filter({ hasText: "BLOCKED_BY_FINDINGS" });
    const own = [refusals.BLOCKED_BY_FINDINGS, findings.NOTHING_BOOTS].join(" ");
    expect(await alert.locator(".translated").textContent()).toBe(own);
    expect(await alert.locator(".translated + [lang=en]").textContent()).toContain("NOTHING_BOOTS");
    await picture(page, "refusal-korean");
  });

  it("closes a dialog on Escape, keeps the focus in it and gives it back", async () => {
    const { page } = await visit();
    const opener = page.getByRole("button", { name: "Create VM" });
    await opener.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    for (let steps = 0; steps < 14; steps += 1) {
      await page.keyboard.press("Tab");
      // Behind a modal dialog there is nothing but the browser's own controls, which is the body from here.
      const where = await page.evaluate(() => document.activeElement?.closest("dialog, body")?.tagName);
      const isOutside = await page.evaluate(() => document.activeElement?.closest("main, header") !== null);
      expect([where, isOutside && !(await dialog.evaluate((d) => d.contains(document.activeElement)))]).toEqual([
        where,
        false,
      ]);
    }
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    expect(await opener.evaluate((element) => element === document.activeElement)).toBe(true);
  });

  it("leads past its head to what it is about", async () => {
    const { page } = await visit();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
    expect(new URL(page.url()).hash).not.toBe("#main");
  });

  it("tells who only listens what has become of a VM", async () => {
    const { page, web, server } = await furnished({});
    await at(page, web, "web");
    const status = page.getByRole("status").filter({ hasText: "Installing" }).first();
    await status.waitFor();
    await server.ask("POST", `/api/vms/${web}/complete-installation`, {});
    await page.getByRole("status").filter({ hasText: "Installed" }).first().waitFor();
  });

  it("logs out", async () => {
    const { page, server } = await visit();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Bootwright" }).waitFor();
    await page.goto(`${server.url}/`);
    expect(new URL(page.url()).pathname).toBe("/login");
    // The link is used up.
    await page.goto(server.login);
    await page.getByText("Cannot log in").waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
    }
    await picture(page, "login", false);
  });

  it("has its login in Korean too", async () => {
    const { page, server } = await visit({ browser: { locale: "ko-KR" } });
    await page.getByRole("button", { name: "로그아웃" }).click();
    await page.getByLabel("토큰").fill("not-a-token");
    await page.getByRole("button", { name: "로그인" }).click();
    await page.getByText(loginWords.ko.refused.ticket_invalid!).waitFor();
    expect(await violations(page)).toEqual([]);
    await picture(page, "login-korean", false);
    await page.getByLabel("토큰").fill(server.token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "가상 머신" }).waitFor();
  });
});

it("no word of Korean is left out or left in English", () => {
  const left: string[] = [];
  const compare = (one: unknown, other: unknown, path: string) => {
    if (typeof one === "string" && one === other) left.push(path);
    if (typeof one !== "object" || one === null) return;
    for (const [key, value] of Object.entries(one))
      compare(value, (other as Record<string, unknown>)[key], `${path}.${key}`);
  };
  compare(en, ko, "");
  compare(pageEn, pageKo, "");
  compare(loginWords.en, loginWords.ko, ".login");
  // What is called the same in both.
  const names = [".brand", ".create.firmwares.bios", ".create.firmwares.uefi", ".facts.uuid", ".iso.title"];
  expect(left.sort()).toEqual(names);
});

it("every finding and every refusal has a Korean sentence, and no code is both", () => {
  expect(Object.keys(findings).sort()).toEqual([...findingCodes].sort());
  expect(Object.keys(refusals).sort()).toEqual([...errorCodes, ...httpCodes].sort());
  for (const words of [...Object.values(findings), ...Object.values(refusals)]) expect(words).toMatch(/[가-힣].*\.$/);
  expect(Object.keys(findings).filter((code) => code in refusals)).toEqual([]);
});

it("everything that a change can lose has its Korean words", () => {
  const state = { vm: { name: "web", power: "running", savedState: true }, disks: {} } as unknown as State;
  const input = { force: true, path: "/images/web.qcow2" };
  const losses = (Object.values(changes) as unknown as ChangeDefinition<object>[]).flatMap(
    (change) => change.loses?.(state, input) ?? [],
  );
  expect(losses).toHaveLength(Object.values(changes).filter((change) => "loses" in change).length);
  for (const loss of losses)
    expect(toKorean(loss), loss).toMatch(/^(?=.*[가-힣])[^a-z]*(?:\/images\/web.qcow2|web)?[^a-z]*$/);
});
