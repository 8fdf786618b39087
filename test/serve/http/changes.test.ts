/** What a change over HTTP can be asked for beside itself: once, only if, and without waiting. */
// @module-tag process
import { describe, expect, it } from "vitest";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import { type HttpServer, openHttp } from "../../support/http.ts";
import { type HttpHere, openHere } from "../../support/http-here.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import { type WorldOptions, world } from "../../support/world.ts";
import { foreign, seedOf } from "../../tools/harness.ts";

async function withVm(config: WorldOptions["config"] = {}): Promise<HttpHere> {
  const server = await openHere(await world({ config }));
  await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
  return server;
}
/** Long enough for a busy machine to ask meanwhile. */
const SHUTDOWN_MS = 1_500;
const order = "/api/vms/web/boot-order";
const key = (text: string) => ({ headers: { "idempotency-key": text } });

describe("Idempotency-Key", () => {
  it("makes a change once, and answers alike", async () => {
    const { ask } = await openHere(await world());
    const first = await ask("POST", "/api/vms", { name: "web" }, key("k-1"));
    const again = await ask("POST", "/api/vms", { name: "web" }, key('"k-1"'));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await ask("GET", "/api/vms")).body.total).toBe(1);
  });

  it("belongs to a token, a place and a body", async () => {
    const { ask } = await withVm();
    await ask("POST", order, { boot_order: "hd" }, key("k"));
    const other = await ask("POST", order, { boot_order: "cdrom" }, key("k"));
    expect(other).toMatchObject({ status: 422, body: { code: "IDEMPOTENCY_KEY_REUSED" } });
    expect((await ask("POST", "/api/vms/web/media/detach", {}, key("k"))).status).toBe(200);
  });

  it("is given back by a request that did nothing, so that it can be sent again", async () => {
    const { ask } = await openHere(await world());
    const attach = () => ask("POST", "/api/vms/web/media/attach", { iso_path: "live.iso" }, key("k"));
    expect((await attach()).status).toBe(404);
    await ask("POST", "/api/vms", { name: "web" });
    expect((await attach()).body.vm.current_media).toBe("/memory/isos/live.iso");
  });

  it("of a request that is under way is refused, in another server on the same data too", async () => {
    const data = temporaryDirectory();
    const [one, two] = [await openHttp({ data }), await openHttp({ data })];
    await one.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await one.ask("POST", "/api/vms/web/start");
    const stop = (server: HttpServer) => server.ask("POST", "/api/vms/web/stop", { timeout_seconds: 2 }, key("stop"));
    const first = stop(one);
    await begun(one, "stop_vm");
    expect(await stop(two)).toMatchObject({ status: 409, body: { code: "IDEMPOTENCY_KEY_IN_USE" } });
    const ended = await first;
    expect(ended).toMatchObject({ status: 409, body: { code: "SHUTDOWN_TIMED_OUT" } });
    // Its operation was carried out and failed: that is the answer, whoever asks.
    expect(await stop(two)).toMatchObject({ status: 409, body: { instance: "/api/vms/web/stop", ...ended.body } });
  });

  it("for which a dead server had begun something is answered with what to look at", async () => {
    const data = temporaryDirectory();
    const [one, two] = [await openHttp({ data }), await openHttp({ data })];
    await one.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await one.ask("POST", "/api/vms/web/start");
    void one.ask("POST", "/api/vms/web/stop", { timeout_seconds: 600 }, key("stop")).catch(() => undefined);
    const operation = await begun(one, "stop_vm");
    one.process.kill("SIGKILL");
    await one.ended;
    const answer = await two.ask("POST", "/api/vms/web/stop", { timeout_seconds: 600 }, key("stop"));
    expect(answer).toMatchObject({ status: 409, body: { code: "ANSWER_NOT_KEPT", details: { operation } } });
  });

  it("that is no use as one is refused", async () => {
    const { ask } = await withVm();
    for (const bad of ["", " ", "x".repeat(201), "a b"])
      expect((await ask("POST", order, { boot_order: "hd" }, key(bad))).status).toBe(400);
  });
});

/** Waits until an operation of this tool is on record and not yet over. */
async function begun({ ask }: Pick<HttpHere, "ask">, tool: string): Promise<string> {
  for (;;) {
    const { body } = await ask("GET", "/api/operations?status=begun");
    const [found] = body.operations.filter((one: { tool: string }) => one.tool === tool);
    if (found) return found.operation;
  }
}

describe("ETag", () => {
  it("spares an answer that is known, for a VM, its parts and the list", async () => {
    const { ask } = await withVm();
    for (const path of ["/api/vms", "/api/vms/web", order, "/api/vms/web/disk", "/api/isos"]) {
      const tag = (await ask("GET", path)).headers.get("etag")!;
      const known = await ask("GET", path, undefined, { headers: { "if-none-match": `"x", W/${tag}` } });
      expect([path, known.status, known.body, known.headers.get("etag")]).toEqual([path, 304, "", tag]);
    }
    const before = (await ask("GET", "/api/vms")).headers.get("etag")!;
    await ask("POST", order, { boot_order: "hd" });
    const now = await ask("GET", "/api/vms", undefined, { headers: { "if-none-match": before } });
    expect(now.status).toBe(200);
  });

  it("of another state keeps a change from being made", async () => {
    const { ask } = await withVm();
    const tag = (await ask("GET", "/api/vms/web")).headers.get("etag")!;
    const set = (boot_order: string, match: string) =>
      ask("POST", order, { boot_order }, { headers: { "if-match": match } });
    expect((await set("hd", tag)).status).toBe(200);
    for (const stale of [tag, `W/${tag}`, '"x"', "x", `"x", ${tag}`])
      expect(await set("cdrom_hd", stale)).toMatchObject({ status: 412, body: { code: "PRECONDITION_FAILED" } });
    expect((await ask("GET", order)).body.boot_order).toBe("hd");
    const now = (await ask("GET", order)).headers.get("etag")!;
    expect((await set("cdrom_hd", `"x", ${now}`)).status).toBe(200);
    expect((await set("hd", "*")).status).toBe(200);
  });

  it("of one state is good for one of many changes that come at once", async () => {
    const { ask } = await withVm();
    const match = (await ask("GET", "/api/vms/web")).headers.get("etag")!;
    const asked = ["hd", "cdrom", "hd_cdrom"].map((boot_order) =>
      ask("POST", order, { boot_order }, { headers: { "if-match": match } }),
    );
    expect((await Promise.all(asked)).map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  });

  it("means nothing where there is none, and is then refused", async () => {
    const { ask } = await openHere(await world());
    const copy = await ask("POST", "/api/database/backup", {}, { headers: { "if-match": "*" } });
    expect(copy).toMatchObject({ status: 400, body: { code: "REQUEST_MALFORMED" } });
  });
});

describe("Prefer: respond-async", () => {
  const prefer = (text: string) => ({ headers: { prefer: text } });

  it("is answered 202 once the operation has begun, which can then be followed to its end", async () => {
    const { ask } = await withVm({ installerHonoursShutdown: true, shutdownMs: SHUTDOWN_MS });
    await ask("POST", "/api/vms/web/start");
    const { status, headers, body } = await ask("POST", "/api/vms/web/stop", {}, prefer("respond-async"));
    expect([status, headers.get("location")]).toEqual([202, `/api/operations/${body.operation}`]);
    expect(headers.get("preference-applied")).toBe("respond-async");
    const seen = new Set<string>();
    for (let last = ""; last !== "applied"; seen.add(last))
      last = (await ask("GET", headers.get("location")!)).body.status;
    expect([...seen]).toEqual(["begun", "applied"]);
  });

  it("is answered as usual what is done within its wait, needs nothing, or is refused", async () => {
    const { ask } = await withVm();
    const set = (boot_order: string) => ask("POST", order, { boot_order }, prefer("respond-async, wait=10"));
    expect((await set("hd")).body.vm.boot_order).toBe("hd");
    const nothing = await ask("POST", order, { boot_order: "hd" }, prefer("respond-async"));
    expect(nothing).toMatchObject({ status: 200, body: { changed: false } });
    expect((await ask("POST", "/api/vms/nobody/start", {}, prefer("respond-async"))).status).toBe(404);
  });

  it("is not followed where a call is several operations, of which one says nothing of the others", async () => {
    const config = seedOf(foreign(1, "one"), foreign(2, "two"));
    const slowly = (real: Backend): Backend => ({
      ...real,
      apply: async (...given) => {
        // Longer than an answer takes that says where the operation is followed.
        await new Promise((wake) => setTimeout(wake, 50));
        await real.apply(...given);
      },
    });
    const { ask } = await openHere(await world({ config, wrap: slowly }));
    const { status, body } = await ask("POST", "/api/vms/adopt", { all: true }, prefer("respond-async"));
    expect([status, body.adopted.length]).toEqual([200, 2]);
  });

  it("goes on although the client is gone", async () => {
    const { ask } = await withVm({ installerHonoursShutdown: true, shutdownMs: SHUTDOWN_MS });
    await ask("POST", "/api/vms/web/start");
    const gone = new AbortController();
    const stopping = ask("POST", "/api/vms/web/stop", {}, { signal: gone.signal }).catch(() => "gone");
    const operation = await begun({ ask }, "stop_vm");
    gone.abort();
    expect(await stopping).toBe("gone");
    for (let last = ""; last !== "applied"; ) last = (await ask("GET", `/api/operations/${operation}`)).body.status;
  });
});
