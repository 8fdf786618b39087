// @module-tag process
/** Jobs in the page: how far they are, how they are cancelled, and how they end. */
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Job } from "../../ui/api/job.ts";
import { ko } from "../../ui/language/page-ko.ts";
import { openHttp } from "../support/http.ts";
import { violations } from "./axe.ts";
import { buildPage, describeInBrowser, logIn, picture } from "./browser.ts";
import { type JobServer, openJobServer } from "./job-server.ts";

const copy: Job = {
  job: "0198-copy",
  kind: "disk.copy",
  title: "Copy the disk of web",
  actor: "http:main",
  status: "running",
  percent: 42,
  message: "4.2 of 10 GiB",
  started_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:01.000Z",
};
const backup: Job = { ...copy, job: "0198-backup", title: "Back up mail", percent: null, status: "queued" };

async function visitJobs(options: { offers?: Parameters<typeof openJobServer>[1]; browser?: object } = {}) {
  await buildPage();
  const real = await openHttp();
  const vm = async (name: string) => {
    const { uuid } = (await real.ask("POST", "/api/vms", { name, iso_path: "installer.iso" })).body.vm;
    return { connection: "local", vm: uuid as string, name };
  };
  const [web, mail] = [await vm("web"), await vm("mail")];
  const server = await openJobServer(real, options.offers);
  const start = (job: Job) => {
    server.jobs.set(job.job, job);
    server.sendEvent("job.started", job);
  };
  return { real, server, start, web, mail, ...(await logIn(server.login, options.browser)) };
}

const bars = (page: Page) => page.getByRole("progressbar");
const bar = (page: Page, name: string) => page.getByRole("progressbar", { name });
/** The page polls every two seconds while it does, so that only more time than that shows that it does not. */
const expectNoMorePolls = (page: Page, { requests }: JobServer) =>
  expect
    .poll(async () => {
      const { length } = requests;
      await page.waitForTimeout(3_000);
      return requests.slice(length);
    })
    .toEqual([]);
const setVisibility = (page: Page, state: "hidden" | "visible") =>
  page.evaluate((is) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => is });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);

describeInBrowser("jobs", () => {
  it("are shown with their progress while they run, and no longer", async () => {
    const { page, server, start, web, faults } = await visitJobs();
    await page.getByRole("link", { name: "web" }).waitFor();
    expect(await bars(page).count()).toBe(0);
    expect(await page.getByRole("heading", { name: "Jobs" }).count()).toBe(0);
    const job = { ...copy, target: web };
    start(job);
    await bar(page, "Copy the disk of web").waitFor();
    expect(await bars(page).getAttribute("value")).toBe("42");
    const item = page.locator(".job");
    expect(await item.textContent()).toMatch(/42%.*Running · 4\.2 of 10 GiB/);
    await picture(page, "jobs-list");
    // No event reports this.
    server.jobs.set(job.job, { ...job, percent: 90, message: "9 of 10 GiB" });
    await expect.poll(() => item.textContent()).toMatch(/90%.*9 of 10 GiB/);
    server.jobs.set(job.job, { ...job, percent: null });
    await expect.poll(() => bars(page).getAttribute("value")).toBe(null);
    expect(await item.textContent()).not.toContain("%");
    const done = { ...job, status: "done", percent: 100 } as const;
    server.jobs.set(job.job, done);
    server.sendEvent("job.succeeded", done);
    await expect.poll(() => bars(page).count()).toBe(0);
    expect(await page.getByRole("heading", { name: "Jobs" }).count()).toBe(0);
    await expectNoMorePolls(page, server);
    expect(faults).toEqual([]);
  });

  it("take their progress from events without asking", async () => {
    const { page, server, start, web } = await visitJobs();
    const job = { ...copy, target: web };
    start(job);
    await page.locator(".job").getByText("42%").waitFor();
    const release = server.hold();
    server.sendEvent("job.progressed", { ...job, percent: 77 });
    await page.locator(".job").getByText("77%").waitFor();
    release();
  });

  it("are all on the list, and on a VM's page that VM's alone", async () => {
    const { page, start, web, mail } = await visitJobs();
    start({ ...copy, target: web });
    start({ ...backup, target: mail, started_at: "2026-01-02T00:00:00.000Z" });
    start({ ...copy, job: "0198-sweep", title: "Tidy the library", started_at: "2026-01-03T00:00:00.000Z" });
    await expect.poll(() => bars(page).count()).toBe(3);
    const titles = () => page.locator(".job strong").allTextContents();
    expect(await titles()).toEqual(["Copy the disk of web", "Back up mail", "Tidy the library"]);
    expect(await page.locator(".job").nth(1).textContent()).toContain("Waiting");
    await page.locator(".job").getByRole("link", { name: "mail" }).click();
    await page.getByRole("heading", { level: 1, name: "mail" }).waitFor();
    await expect.poll(titles).toEqual(["Back up mail"]);
    expect(await page.locator(".job a").count()).toBe(0);
    await page.getByRole("link", { name: "All VMs" }).click();
    await expect.poll(() => bars(page).count()).toBe(3);
  });

  it("are cancelled by their button, once, and say that it is under way", async () => {
    const { page, server, start, web } = await visitJobs();
    const job = { ...copy, target: web };
    start(job);
    start({ ...backup, started_at: "2026-01-02T00:00:00.000Z" });
    const cancel = page.getByRole("button", { name: "Cancel: Copy the disk of web" });
    await cancel.click();
    await page.locator(".job").filter({ hasText: "Being cancelled" }).waitFor();
    expect(server.requests.filter((one) => one.startsWith("POST"))).toEqual([`POST /api/jobs/${job.job}/cancel`]);
    expect(await cancel.isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Cancel: Back up mail" }).isEnabled()).toBe(true);
    const cancelled = { ...job, status: "cancelled" } as const;
    server.jobs.set(job.job, cancelled);
    server.sendEvent("job.cancelled", cancelled);
    await bar(page, "Copy the disk of web").waitFor({ state: "detached" });
    expect(await bars(page).count()).toBe(1);
  });

  it("say why they cannot be cancelled", async () => {
    const { page, server, start } = await visitJobs();
    start(copy);
    await bar(page, copy.title).waitFor();
    server.jobs.delete(copy.job);
    await page.getByRole("button", { name: "Cancel: Copy the disk of web" }).click();
    await page.getByRole("alert").filter({ hasText: "JOB_NOT_FOUND" }).waitFor();
    await expect.poll(() => bars(page).count()).toBe(0);
  });

  it("say why they have failed, until somebody has read it", async () => {
    const { page, server, start, web } = await visitJobs();
    await page.getByRole("link", { name: "web" }).click();
    await page.getByRole("heading", { level: 1, name: "web" }).waitFor();
    const job = { ...copy, target: web };
    start(job);
    await bars(page).waitFor();
    const error = { code: "HOST_SPACE_LACKING", message: "The host has 1 GiB left" };
    const failed = { ...job, status: "failed", error } as const;
    server.jobs.set(job.job, failed);
    server.sendEvent("job.failed", failed);
    const alert = page.getByRole("alert").filter({ hasText: "Failed: Copy the disk of web" });
    await alert.waitFor();
    expect(await alert.textContent()).toContain("HOST_SPACE_LACKINGThe host has 1 GiB left");
    await expect.poll(() => bars(page).count()).toBe(0);
    await picture(page, "job-failed");
    await alert.getByRole("button", { name: "Close" }).click();
    await expect.poll(() => alert.count()).toBe(0);
  });

  it("are asked for by no page that nobody sees, and at once by one that is seen again", async () => {
    const { page, server, start } = await visitJobs();
    start(copy);
    await bar(page, copy.title).waitFor();
    await setVisibility(page, "hidden");
    await expectNoMorePolls(page, server);
    server.jobs.set(copy.job, { ...copy, percent: 60 });
    await setVisibility(page, "visible");
    await page.locator(".job").getByText("60%").waitFor();
  });

  it("cannot be cancelled where the server does not offer it", async () => {
    const { page, start } = await visitJobs({ offers: ["list_jobs", "get_job"] });
    start(copy);
    await bar(page, copy.title).waitFor();
    expect(await page.getByRole("button", { name: /^Cancel/ }).count()).toBe(0);
  });

  it("are never asked for where the server offers none", async () => {
    const { page, real, server, start, faults } = await visitJobs({ offers: [] });
    await page.getByRole("link", { name: "web" }).waitFor();
    start(copy);
    server.sendEvent("job.failed", { ...copy, status: "failed" });
    // An event of the server's own comes after those.
    await real.ask("POST", "/api/vms", { name: "later" });
    await page.getByRole("link", { name: "later" }).waitFor();
    expect(server.requests).toEqual([]);
    expect(await bars(page).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  it("are asked for once of a server that turns out to know none", async () => {
    await buildPage();
    const real = await openHttp();
    const { page, faults } = await logIn(real.login);
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.route(`${real.url}/`, async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(
        /("list_jobs":\{"method":"GET","path":)"[^"]*"/,
        '$1"/no-such-jobs"',
      );
      await route.fulfill({ response, body });
    });
    await page.reload();
    await page.getByText("There are no VMs yet.").waitFor();
    await expect.poll(() => requests.filter((path) => path === "/api/no-such-jobs").length).toBe(1);
    await setVisibility(page, "hidden");
    await setVisibility(page, "visible");
    await real.ask("POST", "/api/vms", { name: "web" });
    await page.getByRole("link", { name: "web" }).waitFor();
    expect(requests.filter((path) => path === "/api/no-such-jobs")).toHaveLength(1);
    expect(await page.getByRole("alert").allTextContents()).toSatisfy((texts: string[]) => texts.every((one) => !one));
    expect(faults).toEqual([]);
  });

  it.each(["light", "dark"] as const)(
    "have nothing that axe finds wrong and fit a small screen, %s",
    async (scheme) => {
      const browser = { colorScheme: scheme, viewport: { width: 360, height: 740 } };
      const { page, server, start, web } = await visitJobs({ browser });
      start({ ...copy, target: web });
      start({ ...backup, title: `Back up ${"a-very-long-name-".repeat(4)}` });
      await expect.poll(() => bars(page).count()).toBe(2);
      const failed = {
        ...copy,
        job: "0198-bad",
        status: "failed",
        error: { code: "BACKEND_FAILED", message: "no" },
      } as const;
      server.jobs.set(failed.job, failed);
      server.sendEvent("job.failed", failed);
      await page.getByText("Failed: ").waitFor();
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
      await picture(page, `jobs-360-${scheme}`);
    },
  );

  it("are in Korean where the browser is", async () => {
    const { page, start } = await visitJobs({ browser: { locale: "ko-KR" } });
    start(copy);
    await page.getByRole("heading", { name: ko.jobs.title }).waitFor();
    const item = page.locator(".job");
    expect(await item.textContent()).toContain(ko.jobs.status.running);
    await item.getByRole("button", { name: ko.jobs.cancel(copy.title) }).waitFor();
  });
});
