/** The panel as a host shows it: in a sandboxed frame of its own, with nothing but messages to the host, which makes the
 * calls on a real server over MCP. */

// @module-tag process
import { once } from "node:events";
import { createServer } from "node:http";
import type { Frame, Page } from "playwright-core";
import { expect, it, onTestFinished } from "vitest";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { violations } from "./axe.ts";
import { buildPage, describeInBrowser, picture, theBrowser } from "./browser.ts";

const PANEL = "ui://bootwright/vm";
const PANEL_BYTES_MAX = 60_000;

/** A chat: greets the panel, gives it the tool's answer, and makes the calls that it asks for. */
const host = `<!doctype html><html lang="en"><head><title>Chat</title></head>
<body><main><h1>Chat</h1><iframe title="Panel" sandbox="allow-scripts allow-forms" style="width:100%;height:1400px;border:0"></iframe></main>
<script>
const frame = document.querySelector("iframe");
window.heard = [];
addEventListener("message", async ({ source, data }) => {
  if (source !== frame.contentWindow) return;
  heard.push(data);
  const answer = (result) => source.postMessage({ jsonrpc: "2.0", id: data.id, result }, "*");
  if (data.method === "ui/initialize")
    answer({ protocolVersion: "2026-01-26", hostInfo: { name: "chat", version: "1" }, hostCapabilities: { serverTools: {} },
      hostContext: window.context });
  if (data.method === "ui/notifications/initialized")
    source.postMessage({ jsonrpc: "2.0", method: "ui/notifications/tool-result", params: window.first }, "*");
  if (data.method === "tools/call") answer(await callTool(data.params.name, data.params.arguments));
  if (data.method === "ui/notifications/size-changed") window.size = data.params;
});
window.show = (html, first, context) => { window.first = first; window.context = context; frame.srcdoc = html; };
</script></body></html>`;

/** What hosts allow a panel that asks for nothing. */
const policy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'";

async function chat(server: BootwrightClient, uuid: string, context: object, isReticent = false) {
  const place = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy });
    response.end(host);
  }).listen(0, "127.0.0.1");
  await once(place, "listening");
  onTestFinished(() => void place.close());
  const browser = await (await theBrowser()).newContext({ viewport: { width: 640, height: 900 } });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.exposeFunction("callTool", async (name: string, args: Record<string, unknown>) => {
    const { _meta, ...result } = await server.client.callTool({ name, arguments: args });
    return isReticent ? result : { ...result, _meta };
  });
  await page.goto(`http://127.0.0.1:${(place.address() as { port: number }).port}/`);
  const { contents } = await server.client.readResource({ uri: PANEL });
  const html = (contents[0] as { text: string }).text;
  const first = await server.client.callTool({ name: "get_vm", arguments: { vm: uuid } });
  await page.evaluate(
    ([text, result, hostContext]) => {
      (globalThis as unknown as { show: (...all: unknown[]) => void }).show(text, result, hostContext);
    },
    [html, first, context] as const,
  );
  const element = await page.locator("iframe").elementHandle();
  return { page, faults, frame: (await element!.contentFrame()) as Frame };
}

async function open() {
  await buildPage();
  const server = await openClient({
    settings: memorySettings(temporaryDirectory(), "installsAfterMs=never", "installerHonoursShutdown=true"),
  });
  onTestFinished(() => server.close());
  const { vm } = await server.call("create_vm", { name: "web", iso_path: "installer.iso" });
  return { server, uuid: vm.uuid };
}

const sizeShown = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { size?: { height: number } }).size?.height ?? 0);

describeInBrowser("the panel", () => {
  it("is one small text of its own kind, to which get_vm leads", async () => {
    const { server } = await open();
    const { contents } = await server.client.readResource({ uri: PANEL });
    const [{ mimeType, text }] = contents as unknown as [{ mimeType: string; text: string }];
    expect(mimeType).toBe("text/html;profile=mcp-app");
    expect(Buffer.byteLength(text)).toBeLessThan(PANEL_BYTES_MAX);
    expect(text).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)=/);
    const { tools } = await server.client.listTools();
    expect(tools.find(({ name }) => name === "get_vm")?._meta).toMatchObject({ ui: { resourceUri: PANEL } });
    console.info(`panel: ${Buffer.byteLength(text)} bytes`);
  });

  it("shows the VM, and does what is chosen through tools alone", async () => {
    const { server, uuid } = await open();
    const { frame, page, faults } = await chat(server, uuid, { theme: "dark", locale: "en-GB" });
    await frame.getByRole("heading", { name: "web" }).waitFor();
    expect(await frame.locator("html").getAttribute("data-theme")).toBe("dark");
    await frame.getByRole("button", { name: "Start", exact: true }).click();
    await frame.locator(".vm-head").getByText("Running").waitFor();
    await frame.getByText("Installing", { exact: true }).first().waitFor();
    await expect.poll(() => sizeShown(page)).toBeGreaterThan(300);
    await picture(page, "panel");
    // A frame is asked as a page is.
    expect(await violations(frame as unknown as Page)).toEqual([]);
    await frame.getByRole("button", { name: /^Disk, then CD-ROM/ }).click();
    await expect.poll(async () => (await server.call("get_vm", { vm: uuid })).boot_order).toBe("hd_cdrom");
    // What loses something is asked about in the panel too.
    await frame.getByRole("button", { name: "Cut the power" }).click();
    const dialog = frame.getByRole("dialog");
    await dialog.getByText("the running guest's memory").waitFor();
    await dialog.getByRole("button", { name: "Cut the power" }).click();
    await frame.locator(".vm-head").getByText("Off", { exact: true }).waitFor();
    expect((await server.call("get_vm", { vm: uuid })).power).toBe("off");
    expect(faults).toEqual([]);
  });

  it("says why it was refused, in Korean around it, also where the host keeps the details to itself", async () => {
    const { server, uuid } = await open();
    await server.call("detach_iso", { vm: uuid });
    const { frame } = await chat(server, uuid, { theme: "light", locale: "ko" }, true);
    await frame.getByRole("button", { name: "시작", exact: true }).click();
    const alert = frame.getByRole("alert").filter({ hasText: "BLOCKED_BY_FINDINGS" });
    await alert.waitFor();
    expect(await alert.textContent()).toContain("거절됨");
    expect(await alert.textContent()).toContain("NOTHING_BOOTS");
  });
});
