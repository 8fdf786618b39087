/** `If-Match` on every place that takes it. */
import { describe, expect, it } from "vitest";
import { type Route, routesOf } from "../../../src/serve/http/route.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import { type HttpHere, openHere, sessionOf } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

const conditional = routesOf(allTools).filter((route) => route.conditional && route.effect !== "read");

/** A VM on which an operation was carried out, and its tag from before and from after that. */
async function changedVm() {
  const made = await world();
  const { services } = sessionOf(made);
  const plugins = { list: async () => [{ name: "phone-home", fetch: true }] as never };
  const guests = { address: "127.0.0.1", port: 1 };
  const here = await openHere(made, {}, { services: { ...services, plugins, guests } });
  await here.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
  const tag = async () => (await here.ask("GET", "/api/vms/web")).headers.get("etag")!;
  const stale = await tag();
  const { body } = await here.ask("POST", "/api/vms/web/boot-order", { boot_order: "cdrom" });
  return { here, stale, current: await tag(), operation: body.operation as string };
}

const needed: Readonly<Record<string, unknown>> = {
  set_boot_order: { boot_order: "hd" },
  attach_iso: { iso_path: "live.iso" },
  vm_media: { iso_path: "live.iso" },
  vm_action: { action: "start" },
  suggest_completion: { evidence: "It says so" },
  resize_disk: { size_gb: 50 },
  repair_vm: { action: "adopt" },
  adopt_vm: { vm: "web" },
};

const askFor = ({ ask }: HttpHere, { id, method, path }: Route, operation: string, match: string) => {
  const place = `/api${path.replace("{vm}", "web").replace("{operation}", operation)}`;
  const body = method === "POST" ? (needed[id] ?? {}) : undefined;
  return ask(method, place, body, { headers: { "if-match": match } });
};

describe("If-Match", () => {
  it("with the tag of another state keeps every place that takes it from changing anything", async () => {
    const { here, stale, operation } = await changedVm();
    for (const route of conditional) {
      const { status, body } = await askFor(here, route, operation, stale);
      expect([route.id, status, body.code]).toEqual([route.id, 412, "PRECONDITION_FAILED"]);
    }
    expect((await here.ask("GET", "/api/operations")).body.operations).toHaveLength(2);
  });

  it("with the tag of this state keeps none of them from it", async () => {
    const { here, current, operation } = await changedVm();
    for (const route of conditional) {
      if (route.method !== "POST") continue;
      const { ask } = here;
      const dry: HttpHere["ask"] = (method, path, body, more) =>
        ask(method, path, route.input.shape.dry_run ? { ...(body as object), dry_run: true } : body, more);
      const { status } = await askFor({ ...here, ask: dry }, route, operation, current);
      expect([route.id, status]).not.toEqual([route.id, 412]);
    }
  });
});
