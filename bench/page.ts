// The web page: how large it is, and how soon somebody sees the first of many VMs in it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { inTurns, type Times } from "./measure.ts";

const CHROMIUM = "/usr/bin/chromium";

export type Size = Readonly<{ bytes: number; zipped: number }>;

/** What a browser loads for the page, and the panel, as they were built there. */
export function sizes(directory: string): Readonly<{ page: Size; panel: Size }> {
  const sizeOf = (...paths: string[]): Size => {
    const files = paths.map((path) => readFileSync(join(directory, path)));
    const sum = (sizes: number[]) => sizes.reduce((all, one) => all + one, 0);
    return { bytes: sum(files.map(({ length }) => length)), zipped: sum(files.map((file) => gzipSync(file).length)) };
  };
  const assets = readdirSync(join(directory, "assets")).map((name) => join("assets", name));
  return { page: sizeOf("index.html", ...assets), panel: sizeOf("panel.html") };
}

/** A page that has nothing but the answer to ask for and its first names to show. */
export const bare = {
  html: '<!doctype html><html lang="en"><title>bare</title><ul></ul><script type="module" src="/bare.js"></script></html>',
  script: `const { vms } = await (await fetch("/constant")).json();
for (const { name } of vms.slice(0, 40)) {
  const link = document.createElement("a");
  link.textContent = name;
  document.querySelector("ul").append(link);
}`,
};

/** Resolves in the page when what is looked for has been painted, with the milliseconds since it was gone to. */
const painted = (selector: string) => `globalThis.painted = new Promise((resolve) => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector(${JSON.stringify(selector)})) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
  });
  observer.observe(document, { childList: true, subtree: true });
});`;

export type Look = Readonly<{ url: string; selector: string }>;

/** From going there to what is looked for, each time with a browser's empty cache. */
export async function paints<Name extends string>(
  rounds: number,
  token: string,
  looks: Readonly<Record<Name, Look>>,
): Promise<Record<Name, Times>> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  const look =
    ({ url, selector }: Look) =>
    async () => {
      const context = await browser.newContext({ extraHTTPHeaders: { authorization: `Bearer ${token}` } });
      const page = await context.newPage();
      await page.addInitScript(painted(selector));
      await page.goto(url);
      const ms = await page.evaluate<number>("painted");
      await context.close();
      return ms;
    };
  const subjects = Object.fromEntries(
    (Object.entries(looks) as [Name, Look][]).map(([name, one]) => [name, look(one)]),
  ) as Record<Name, () => Promise<number>>;
  try {
    return await inTurns(rounds, subjects, 1);
  } finally {
    await browser.close();
  }
}
