/** The list of VMs: many of them, live, and whatever they are called. */

// @module-tag process
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Page } from "playwright-core";
import { expect, it, onTestFinished } from "vitest";
import { openHttp } from "../support/http.ts";
import { foreign, seedOf } from "../tools/harness.ts";
import { buildPage, describeInBrowser, logIn, visit } from "./browser.ts";
import { seeded } from "./seed.ts";

const MANY = 1_000;
const many = () =>
  seeded(
    seedOf(
      ...Array.from({ length: MANY }, (_, index) => foreign(index + 1, `node-${String(index + 1).padStart(4, "0")}`)),
    ),
  );

describeInBrowser("the list", () => {
  it("draws of a thousand VMs those that are seen, and finds any", async () => {
    const { page, faults } = await visit({ server: many().server });
    await page.getByRole("link", { name: "node-0001" }).waitFor();
    expect(await page.locator(".count").textContent()).toBe("1000 VMs");
    const rows = page.locator(".vm-row:not(.heading)");
    expect(await rows.count()).toBeLessThan(80);
    expect(await page.getByRole("table").getAttribute("aria-rowcount")).toBe("1001");
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.getByRole("link", { name: "node-1000" }).waitFor();
    expect(await rows.count()).toBeLessThan(80);
    expect(await rows.last().getAttribute("aria-rowindex")).toBe("1001");
    await page.getByLabel("Search by name").fill("0777");
    await expect.poll(() => rows.count()).toBe(1);
    expect(await page.locator(".count").textContent()).toBe("1 of 1000 VMs");
    await page.getByLabel("Search by name").fill("nothing is called so");
    await page.getByText("No VM fits this search.").waitFor();
    expect(faults).toEqual([]);
  });

  it("follows what happens without being asked, and asks nothing while nothing happens", async () => {
    const { page, server } = await visit();
    await page.getByText("There are no VMs yet.").waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const made = await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    const row = page.locator(".vm-row").filter({ hasText: "web" });
    await row.filter({ hasText: "Off" }).waitFor();
    await server.ask("POST", `/api/vms/${made.body.vm.uuid}/start`, {});
    await row.filter({ hasText: "Running" }).filter({ hasText: "Installing" }).waitFor();
    await server.ask("POST", `/api/vms/${made.body.vm.uuid}/media/detach`, {});
    await row.filter({ hasText: "No ISO" }).waitFor();
    await row.filter({ hasText: "KiB of 20 GiB" }).waitFor();
    // What the last event asks for has been asked once there was nothing for a second; then it stays so.
    await expect
      .poll(async () => {
        const { length } = asked;
        await page.waitForTimeout(1_000);
        return asked.slice(length);
      })
      .toEqual([]);
    const { length } = asked;
    // That nothing is asked shows in time alone.
    await page.waitForTimeout(1_500);
    expect(asked.slice(length)).toEqual([]);
    const { uuid } = made.body.vm;
    const agreed = async (method: string, path: string, body?: object) => {
      const asked = await server.ask(method, path, body);
      const { confirm } = asked.body.details;
      await (body
        ? server.ask(method, path, { ...body, confirm })
        : server.ask(method, `${path}?confirm=${encodeURIComponent(confirm)}`));
    };
    await agreed("POST", `/api/vms/${uuid}/stop`, { force: true });
    await row.filter({ hasText: "Off" }).waitFor();
    await agreed("DELETE", `/api/vms/${uuid}`);
    await page.getByText("There are no VMs yet.").waitFor();
  });

  it("keeps what somebody types while a VM comes to the list behind it", async () => {
    const { page, server } = await visit();
    await page.getByRole("button", { name: "Create VM" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill("mine");
    await dialog.getByLabel("Disk in GiB").fill("1");
    await dialog.getByLabel("Memory in MiB").fill("256");
    await server.ask("POST", "/api/vms", { name: "theirs" });
    await page.locator(".vm-row").filter({ hasText: "theirs" }).waitFor({ state: "attached" });
    await dialog.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "mine" }).waitFor();
    expect((await server.ask("GET", "/api/vms/mine")).body.memory_mb).toBe(256);
    expect((await server.ask("GET", "/api/vms/mine/disk")).body.size_gb).toBe(1);
  });

  it("shows what was looked at last, in whatever order the answers come", async () => {
    const { page, server } = await visit();
    const { uuid } = (await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" })).body.vm;
    const row = page.locator(".vm-row").filter({ hasText: "web" });
    await row.filter({ hasText: "Off" }).waitFor();
    // The first answer is on its way for longer than the next one.
    let looks = 0;
    const late = Promise.withResolvers<void>();
    await page.route(`**/api/vms/${uuid}`, async (route) => {
      looks += 1;
      const answer = await route.fetch();
      if (looks === 1) await late.promise;
      await route.fulfill({ response: answer });
    });
    await server.ask("POST", `/api/vms/${uuid}/boot-order`, { boot_order: "hd_cdrom" });
    await expect.poll(() => looks).toBe(1);
    await server.ask("POST", `/api/vms/${uuid}/start`, {});
    await row.filter({ hasText: "Running" }).waitFor();
    const arrived = page.waitForResponse(`**/api/vms/${uuid}`);
    late.resolve();
    await (await arrived).finished();
    // That the page leaves a late answer aside shows in time alone.
    await page.waitForTimeout(200);
    expect(await row.locator(".states").textContent()).toContain("Running");
  });

  it("works in each of many tabs, and knows in all of them what happened meanwhile", async () => {
    const { page, server } = await visit();
    const tabs = [page];
    const show = async (tab: Page, state: "hidden" | "visible") =>
      tab.evaluate((is) => {
        Object.defineProperty(document, "visibilityState", { configurable: true, get: () => is });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    // A browser has six connections for one server.
    for (let more = 0; more < 7; more += 1) {
      await show(tabs.at(-1)!, "hidden");
      const tab = await page.context().newPage();
      tab.setDefaultNavigationTimeout(10_000);
      await tab.goto(`${server.url}/`);
      await tab.getByText("There are no VMs yet.").waitFor();
      tabs.push(tab);
    }
    await server.ask("POST", "/api/vms", { name: "meanwhile" });
    await tabs.at(-1)!.getByRole("link", { name: "meanwhile" }).waitFor();
    // That a hidden tab does not hear of it shows in time alone.
    await page.waitForTimeout(500);
    expect(await page.getByRole("link", { name: "meanwhile" }).count()).toBe(0);
    await show(tabs.at(-1)!, "hidden");
    await show(page, "visible");
    await page.getByRole("link", { name: "meanwhile" }).waitFor();
    await server.ask("POST", "/api/vms", { name: "and-now" });
    await page.getByRole("link", { name: "and-now" }).waitFor();
    expect(await page.getByText("The connection to the server is lost.").count()).toBe(0);
  });

  it("misses nothing while its connection is down, and says that it is", async () => {
    await buildPage();
    const server = await openHttp({ settings: ["--allow-host", "127.0.0.1"] });
    const line = await wire(Number(new URL(server.url).port));
    const link = server.login.replace(server.url, `http://127.0.0.1:${line.port}`);
    const { page } = await logIn(link);
    await page.getByText("There are no VMs yet.").waitFor();
    line.cut();
    await page.getByText("The connection to the server is lost.").waitFor();
    await server.ask("POST", "/api/vms", { name: "meanwhile" });
    line.mend();
    await page.getByRole("link", { name: "meanwhile" }).waitFor();
    await expect.poll(() => page.getByText("The connection to the server is lost.").count()).toBe(0);
  });

  it("shows the login page once the server no longer knows who looks", async () => {
    await buildPage();
    const first = await openHttp();
    const { page } = await logIn(first.login);
    const { port } = new URL(first.url);
    first.process.kill("SIGTERM");
    await first.ended;
    await openHttp({ data: first.data, settings: ["--listen", port] });
    await expect.poll(() => new URL(page.url()).pathname).toBe("/login");
  });
});

/** A connection to a port of this machine that can be cut. */
async function wire(to: number) {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(to, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
    return undefined;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
  };
}
