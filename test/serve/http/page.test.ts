/** The page's files: to whom they are given, and where there are none. */
// @module-tag process
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { Hono } from "hono";
import { beforeAll, describe, expect, it } from "vitest";
import type { AppContext } from "../../../src/serve/app-context.ts";
import type { Environment } from "../../../src/serve/http/environment.ts";
import { addPage } from "../../../src/serve/http/page.ts";
import { openHttp } from "../../support/http.ts";
import { temporaryDirectory } from "../../support/memory.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
beforeAll(() => execa(process.execPath, [join(root, "scripts/page.ts")], { cwd: root }));

/** What the page loads when it needs it. */
const asset = () => readdirSync(join(root, "ui/dist/assets"))[0]!;
const sha256 = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const html = { headers: { accept: "text/html" } };

describe("/", () => {
  it("is for nobody who is not let in, and neither is what it loads", async () => {
    const { url } = await openHttp();
    const response = await fetch(`${url}/`, { ...html, redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/login"]);
    expect((await fetch(`${url}/assets/${asset()}`)).status).toBe(401);
  });

  it("is one file, whose script and style alone are allowed in it, and the console's client beside it", async () => {
    const { ask } = await openHttp();
    const { headers, body } = await ask("GET", "/");
    expect(body).not.toMatch(/<script[^>]+src=|<link[^>]+stylesheet|\sstyle=|\son\w+="/);
    const inside = (element: string) => [
      ...body.matchAll(new RegExp(`<${element}>(.*?)</${element.split(" ")[0]}>`, "gs")),
    ];
    const [script, style] = [inside('script type="module"'), inside("style")];
    expect([script.length, style.length]).toEqual([1, 1]);
    const policy = headers.get("content-security-policy")!.split(/; ?/);
    expect(policy).toContain(`script-src 'self' ${sha256(script[0]![1]!)}`);
    expect(policy).toContain(`style-src 'self' ${sha256(style[0]![1]!)}`);
    expect(policy).toContain("default-src 'self'");
    expect(policy.join()).not.toContain("unsafe");
    expect(readdirSync(join(root, "ui/dist/assets"))).toEqual([expect.stringMatching(/^rfb-.+\.js$/)]);
    const other = (await ask("GET", "/login")).headers.get("content-security-policy");
    expect(other).not.toContain("sha256");
  });

  it("says who looks and where the tools are, and is never kept; the file by its content's name is", async () => {
    const { ask, url } = await openHttp();
    const { status, headers, body } = await ask("GET", "/");
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("content-security-policy")).toMatch(/default-src 'self';(?!.*unsafe)/);
    const [, facts] = /<script id="facts" type="application\/json">(.*?)<\/script>/.exec(body)!;
    expect(JSON.parse(facts!)).toMatchObject({
      scopes: ["vm:read", "vm:write", "vm:destroy"],
      tools: { set_boot_order: { method: "POST", path: "/vms/{vm}/boot-order", effect: "change" } },
    });
    const file = await ask("GET", `/assets/${asset()}`);
    expect(file.headers.get("cache-control")).toBe("private, max-age=31536000, immutable");
    expect(file.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    for (const path of ["/assets/", "/assets/x.js", "/assets/%2e%2e/index.html", "/built-from"])
      expect((await ask("GET", path)).status, `${url}${path}`).toBeGreaterThanOrEqual(400);
  });

  it("says in one sentence that the page is not built", async () => {
    const app = new Hono<Environment>();
    addPage(app, { appContext: {} as AppContext, directory: temporaryDirectory() });
    const response = await app.request("/");
    expect([response.status, await response.text()]).toEqual([
      503,
      "The web page is not built: run npm run build:page in Bootwright's directory and start it again.\n",
    ]);
  });

  it("lets nothing that the server says end the block that it stands in", async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "assets"));
    writeFileSync(join(directory, "index.html"), "<!--facts-->");
    const app = new Hono<Environment>();
    app.use(async (context, next) => {
      context.set("caller", { scopes: ["vm:read"] } as never);
      await next();
    });
    const session = {
      version: "</script><script>alert(1)</script>$&",
      tools: [],
      services: {
        connections: { names: [], capabilities: () => ({}) },
        store: () => Promise.reject(new Error("there is none")),
      },
    } as unknown as AppContext;
    addPage(app, { appContext: session, directory });
    const text = await (await app.request("/")).text();
    expect(text.match(/<script/g)).toHaveLength(1);
    expect(JSON.parse(/>(.*)<\/script>$/.exec(text)![1]!).version).toBe(session.version);
  });
});
