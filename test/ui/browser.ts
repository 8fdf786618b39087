/** Debian's Chromium, logged in to a real server. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { describe, onTestFinished, vi } from "vitest";
import { type HttpServer, type HttpServerOptions, openHttp } from "../support/http.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const output = join(root, "test/output");

const CHROMIUM = "/usr/bin/chromium";
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } });

let browser: Promise<Browser> | undefined;
/** One browser for a test file; it ends with the file's process. */
export const theBrowser = (): Promise<Browser> => {
  browser ??= chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return browser;
};

/** The page is built from the sources as they are. */
export const buildPage = () => execa(process.execPath, [join(root, "scripts/page.ts")], { cwd: root });

export type Visit = Readonly<{ server: HttpServer; page: Page; faults: string[] }>;

export type VisitOptions = Readonly<{ server?: HttpServerOptions; browser?: BrowserContextOptions }>;

/** A fresh server, and a person who has followed its link. `faults` are what the browser complained of. */
export async function visit(options: VisitOptions = {}): Promise<Visit> {
  await buildPage();
  const server = await openHttp(options.server);
  return { server, ...(await logIn(server.login, options.browser)) };
}

export async function logIn(link: string, options: BrowserContextOptions = {}): Promise<Omit<Visit, "server">> {
  const context = await (await theBrowser()).newContext({
    viewport: { width: 1280, height: 860 },
    locale: "en",
    ...options,
  });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  // A server that sees a thousand VMs for the first time takes its time on a loaded machine.
  page.setDefaultNavigationTimeout(120_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // A refused call is told by the browser too.
    if (message.type() === "error" && !/the server responded with a status of/.test(message.text()))
      faults.push(message.text());
  });
  await page.goto(link);
  await page.getByRole("heading", { level: 1, name: /Virtual machines|가상 머신/ }).waitFor({ timeout: 60_000 });
  return { page, faults };
}

/** Keeps what the page looks like, to be looked at. */
export async function picture(page: Page, name: string, fullPage = true): Promise<void> {
  mkdirSync(output, { recursive: true });
  await page.screenshot({ path: join(output, `${name}.png`), fullPage, animations: "disabled" });
}

/** How many colours a VM's screen shows between two shares of its height: a blank one has one. */
export const colours = (page: Page, from = 0, to = 1) =>
  page.locator(".console-screen canvas").evaluate(
    (canvas: HTMLCanvasElement, [top, bottom]) => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d")!.getImageData(0, height * top, width, height * (bottom - top));
      return new Set(new Uint32Array(data.buffer)).size;
    },
    [from, to] as const,
  );

/** Where there is no Chromium these are left out. */
export const describeInBrowser = describe.skipIf(!existsSync(CHROMIUM));
