// Makes the pictures of the user guide in docs/images/: the page on VMs in memory, in the order in which the guide tells.
//
//   node scripts/pictures.ts

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { chromium, type Locator, type Page } from "playwright-core";

const root = fileURLToPath(new URL("..", import.meta.url));
const images = join(root, "docs/images");
const data = await mkdtemp(join(tmpdir(), "bootwright-pictures-"));
await mkdir(images, { recursive: true });
await execa(process.execPath, [join(root, "scripts/page.ts")], { cwd: root });

const guest = "local=memory,installsAfterMs=1500,installerHonoursShutdown=true";
const settings = ["--data", data, "--connection", guest, "--listen", "0", "--plugin", "installation-watch"];
const server = spawn(process.execPath, [join(root, "src/main.ts"), ...settings, "serve"], {
  stdio: ["ignore", "ignore", "pipe"],
});
let told = "";
const link = await new Promise<string>((resolve) => {
  server.stderr.on("data", (chunk: Buffer) => {
    told += chunk;
    const [, found] = /within ten minutes: (\S+)/.exec(told) ?? [];
    if (found) resolve(found);
  });
});
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});

const save = (what: Page | Locator, name: string) => what.screenshot({ path: join(images, `${name}.png`) });

try {
  const context = await browser.newContext({
    viewport: { width: 860, height: 400 },
    locale: "en",
    colorScheme: "light",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(link);
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
  await save(card("Boot order"), "boot-order");
  await save(card("Installation"), "suggestion");
  await page.getByRole("link", { name: "All VMs" }).click();
  await page.getByRole("link", { name: "web" }).waitFor();
  await page.setViewportSize({ width: 1120, height: 340 });
  await save(page, "list");
  await page.setViewportSize({ width: 860, height: 560 });
  await page.getByRole("link", { name: "web" }).click();
  await page.getByRole("button", { name: "Complete installation", exact: true }).click();
  await page.getByText("The drive is empty.").waitFor();
  await page.getByRole("button", { name: "Restart", exact: true }).click();
  await page.getByText(/Booted from disk \(confirmed\)/).waitFor();
  await save(page, "installed");
  await save(card("Disk"), "disk");
} finally {
  await browser.close();
  const ended = once(server, "close");
  server.kill("SIGTERM");
  await ended;
  await rm(data, { recursive: true, force: true });
}
