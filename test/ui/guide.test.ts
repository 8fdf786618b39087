/** The user guide: its pictures are made of the page as it is, on VMs in memory and in the order in which the guide tells,
 * and what it names is there. UPDATE=1 writes the pictures into docs/images/. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Locator, Page } from "playwright-core";
import { expect, it } from "vitest";
import { callLabel } from "../../ui/language/call-label.ts";
import { en } from "../../ui/language/en.ts";
import { en as pageEn } from "../../ui/language/page-en.ts";
import { describeInBrowser, output, visit } from "./browser.ts";

const docs = fileURLToPath(new URL("../../docs", import.meta.url));
const guide = readFileSync(join(docs, "user-guide.md"), "utf8");
const folder = process.env.UPDATE === "1" ? join(docs, "images") : join(output, "guide");

const pictures = [...guide.matchAll(/!\[[^\]]+\]\(images\/(.+?)\.png\)/g)].map(([, name]) => name!);
/** What the guide names of the page: headings in bold, all else in italics. */
const prose = guide.replaceAll(/^```[\s\S]*?^```$/gm, "");
const headings = [...prose.matchAll(/\*\*(.+?)\*\*/g)].map(([, name]) => name!);
const controls = [...prose.matchAll(/(?<!\*)\*([^*\n]+)\*(?!\*)/g)].map(([, name]) => name!);
const orders = [...guide.matchAll(/^\| (?!boot order|---)(.+?) \|/gm)].map(([, name]) => name!);

const wordsIn = (words: object): string[] =>
  Object.values(words).flatMap((one: unknown) =>
    typeof one === "string" ? [one] : typeof one === "object" && one !== null ? wordsIn(one) : [],
  );

/** Takes the guide's tour. What the page said at each stop. */
async function tour(): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const { page, faults } = await visit({
    server: {
      guest: ["installsAfterMs=1500", "installerHonoursShutdown=true"],
      settings: ["--plugin", "installation-watch"],
    },
    browser: { viewport: { width: 860, height: 400 }, colorScheme: "light" },
  });
  const said: string[] = [];
  const save = async (what: Page | Locator, name: string) => {
    said.push((await page.locator("#root").textContent()) ?? "");
    await what.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
  };
  const make = async (name: string, iso: string, starts: boolean) => {
    await page.getByRole("button", { name: "Create VM" }).click();
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByLabel("Installer ISO").selectOption({ label: iso });
    if (starts) await page.getByLabel("Start it at once").check();
    if (name === "web") {
      await page.setViewportSize({ width: 620, height: 640 });
      await save(page.getByRole("dialog"), "create");
      await page.setViewportSize({ width: 860, height: 400 });
    }
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
  };
  const card = (name: string) =>
    page.locator("section").filter({ has: page.getByRole("heading", { name, exact: true }) });
  await make("mail", "live.iso (LIVE)", false);
  await page.getByRole("link", { name: "All VMs" }).click();
  await make("web", "installer.iso (INSTALLER)", true);
  await page.locator(".order small").filter({ hasText: "installer.iso" }).first().waitFor();
  await page.getByText("It looks complete").waitFor();
  await page.locator(".finding").filter({ hasText: "The disk holds data" }).waitFor();
  await save(card("Boot order"), "boot-order");
  await save(card("Installation"), "suggestion");
  await page.getByRole("link", { name: "All VMs" }).click();
  await page.getByRole("link", { name: "web" }).waitFor();
  await page.setViewportSize({ width: 1280, height: 368 });
  await page.locator(".vm-row").filter({ hasText: "of 20 GiB" }).nth(1).waitFor();
  await save(page, "list");
  await page.setViewportSize({ width: 860, height: 560 });
  await page.getByRole("link", { name: "web" }).click();
  await page.getByRole("button", { name: "Complete installation", exact: true }).click();
  await page.getByText("The drive is empty.").waitFor();
  await page.getByRole("button", { name: "Restart", exact: true }).click();
  await page.getByText(/Booted from disk \(confirmed\)/).waitFor();
  await page.getByText("Nothing stands out.").waitFor();
  await save(page, "installed");
  await save(card("Disk"), "disk");
  expect(faults).toEqual([]);
  return said;
}

describeInBrowser("the user guide", () => {
  it("has pictures of the page as it is, and names what is there", async () => {
    const said = await tour();
    const made = readdirSync(folder).map((file) => file.slice(0, -".png".length));
    expect(made.sort()).toEqual([...pictures].sort());
    const offered = (["hd", "cdrom_hd", "hd_cdrom", "cdrom"] as const).map((boot_order) =>
      callLabel(en, "set_boot_order", { boot_order }),
    );
    const words = new Set([...wordsIn(en), ...wordsIn(pageEn), ...offered].map((one) => one.toLowerCase()));
    const isThere = (name: string) =>
      words.has(name.toLowerCase()) || said.some((text) => text.toLowerCase().includes(name.toLowerCase()));
    expect(controls.length).toBeGreaterThan(10);
    expect([...headings, ...controls].filter((name) => !isThere(name))).toEqual([]);
    expect(orders.sort()).toEqual([en.order.cdrom, en.order.cdrom_hd, en.order.hd, en.order.hd_cdrom].sort());
  });
});

it("the guide's pictures lie in docs/images/, and no others", () => {
  const files = readdirSync(join(docs, "images")).map((file) => file.slice(0, -".png".length));
  expect(files.sort()).toEqual([...pictures].sort());
});
