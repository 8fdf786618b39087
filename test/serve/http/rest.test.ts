/** Every place that people know from the plan that this product grew from, on a real server in this process. */
import { describe, expect, it } from "vitest";
import { type HttpHere, openHere } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

/** A server with the VM `web` and its UUID. */
async function withVm(): Promise<HttpHere & { uuid: string }> {
  const server = await openHere(await world());
  const { body } = await server.ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
  return { ...server, uuid: body.vm.uuid };
}

describe("the places of the plan", () => {
  it("GET /vms and /vms/{uuid} tell status, order, what was booted, disk and medium", async () => {
    const { ask, uuid } = await withVm();
    const described = {
      uuid,
      installation_status: "NotInstalled",
      boot_order: "cdrom_hd",
      disk_path: `/memory/images/${uuid}.qcow2`,
      disk_size: 20,
      current_media: "/memory/isos/installer.iso",
    };
    expect(await ask("GET", "/api/vms")).toMatchObject({ status: 200, body: { vms: [described], total: 1 } });
    expect(await ask("GET", `/api/vms/${uuid}`)).toMatchObject({ status: 200, body: described });
    await ask("POST", `/api/vms/${uuid}/action`, { action: "start" });
    expect((await ask("GET", `/api/vms/${uuid}`)).body).toMatchObject({ current_boot_device: "cdrom" });
  });

  it("POST /vms makes a VM, and says where it is", async () => {
    const { ask } = await openHere(await world());
    const { status, headers, body } = await ask("POST", "/api/vms", { name: "db", disk_size_gb: 5 });
    expect([status, headers.get("location")]).toEqual([201, `/api/vms/${body.vm.uuid}`]);
    expect(body.vm).toMatchObject({ name: "db", disk_size: 5 });
    expect((await ask("POST", "/api/vms", { name: "other", dry_run: true })).status).toBe(200);
  });

  it("POST /vms/{uuid}/action starts, stops and restarts, with the arguments of each", async () => {
    const { ask, uuid } = await withVm();
    const act = (body: object) => ask("POST", `/api/vms/${uuid}/action`, body);
    expect((await act({ action: "start" })).body.vm.power).toBe("running");
    const asked = await act({ action: "stop", force: true });
    expect(asked).toMatchObject({ status: 428, body: { code: "CONFIRMATION_REQUIRED" } });
    const { confirm } = asked.body.details;
    expect((await act({ action: "stop", force: true, confirm })).body.vm.power).toBe("off");
    expect((await act({ action: "restart" })).body.vm.power).toBe("running");
    expect(await act({ action: "explode" })).toMatchObject({ status: 400, body: { code: "INPUT_INVALID" } });
    expect((await act({})).body.detail).toContain("action: expected one of start, stop, restart");
    expect((await act({ action: "start", force: true })).body.detail).toContain('"force"');
  });

  it("POST and GET /vms/{uuid}/boot-order set and tell the order", async () => {
    const { ask, uuid } = await withVm();
    for (const boot_order of ["hd", "cdrom_hd", "cdrom", "hd_cdrom"]) {
      const set = await ask("POST", `/api/vms/${uuid}/boot-order`, { boot_order });
      expect([set.status, set.body.vm.boot_order]).toEqual([200, boot_order]);
      expect((await ask("GET", `/api/vms/${uuid}/boot-order`)).body).toMatchObject({ boot_order });
    }
  });

  it("POST /vms/{uuid}/media/attach and detach change the medium, and so does the older form", async () => {
    const { ask, uuid } = await withVm();
    const post = async (path: string, body?: object) =>
      (await ask("POST", `/api/vms/${uuid}/media${path}`, body)).body.vm.current_media;
    expect(await post("/attach", { iso_path: "/memory/isos/live.iso" })).toBe("/memory/isos/live.iso");
    expect(await post("/detach")).toBeUndefined();
    expect(await post("", { iso_path: "drivers.iso" })).toBe("/memory/isos/drivers.iso");
    expect(await post("", { action: "detach" })).toBeUndefined();
  });

  it("GET /isos lists what may be attached", async () => {
    const { ask } = await withVm();
    const { body } = await ask("GET", "/api/isos?search=live&limit=5");
    expect(body.isos.map(({ path }: { path: string }) => path)).toEqual(["/memory/isos/live.iso"]);
  });

  it("POST /vms/{uuid}/complete-installation leaves the order, and GET installation-status tells", async () => {
    const { ask, uuid } = await withVm();
    await ask("POST", `/api/vms/${uuid}/action`, { action: "start" });
    const done = await ask("POST", `/api/vms/${uuid}/complete-installation`);
    expect(done.body.vm).toMatchObject({ installation_status: "Installed", boot_order: "cdrom_hd" });
    const described = await ask("GET", `/api/vms/${uuid}/installation-status`);
    expect(described).toMatchObject({ status: 200, body: { installation_status: "Installed" } });
  });

  it("GET /vms/{uuid}/disk and POST disk/resize tell and grow", async () => {
    const { ask, uuid } = await withVm();
    expect((await ask("GET", `/api/vms/${uuid}/disk`)).body).toMatchObject({ size_gb: 20, content: "blank" });
    expect((await ask("POST", `/api/vms/${uuid}/disk/resize`, { size_gb: 50 })).body.vm.disk_size).toBe(50);
    const shrunk = await ask("POST", `/api/vms/${uuid}/disk/resize`, { size_gb: 10 });
    expect(shrunk).toMatchObject({ status: 422, body: { code: "SHRINK_REFUSED" } });
  });
});

describe("arguments", () => {
  it("a VM is found by name and by connection and name", async () => {
    const { ask, uuid } = await withVm();
    for (const ref of ["web", "local%2Fweb", uuid.toUpperCase()])
      expect((await ask("GET", `/api/vms/${ref}`)).body.uuid).toBe(uuid);
  });

  it("numbers, booleans and lists are read from a query, and a repeated key is a list", async () => {
    const { ask, uuid } = await withVm();
    expect((await ask("GET", "/api/vms?managed=true&limit=1")).body.total).toBe(1);
    expect((await ask("GET", "/api/vms?managed=false")).body.total).toBe(0);
    const query = "status=applied&status=failed&limit=1";
    expect((await ask("GET", `/api/operations?${query}`)).body.operations).toHaveLength(1);
    expect((await ask("GET", "/api/operations?status=applied,unknown")).body.operations).toHaveLength(1);
    expect((await ask("DELETE", `/api/vms/${uuid}?dry_run=true`)).body).toMatchObject({ dry_run: true });
  });

  it("what is unknown, of the wrong kind, or in two places is refused with its name", async () => {
    const { ask } = await withVm();
    const refused = async (method: string, path: string, body?: unknown) => {
      const answer = await ask(method, path, body);
      expect([answer.status, answer.body.code]).toEqual([400, "INPUT_INVALID"]);
      return answer.body.detail as string;
    };
    expect(await refused("GET", "/api/vms?colour=red")).toContain('"colour"');
    expect(await refused("GET", "/api/vms?limit=many")).toContain("limit: ");
    expect(await refused("GET", "/api/vms/web?vm=db")).toContain("vm: is in the path");
    expect(await refused("POST", "/api/vms/web/boot-order", { vm: "db", boot_order: "hd" })).toContain("vm: is in");
    expect(await refused("POST", "/api/vms/web/boot-order?boot_order=hd", {})).toContain("belongs in the body");
    expect(await refused("POST", "/api/vms/web/boot-order", { boot_order: "floppy" })).toContain("boot_order: ");
  });

  it("a body that is no JSON object, or does not say that it is JSON, is refused", async () => {
    const { ask } = await openHere(await world());
    for (const body of ["{", "[]", "7", "null", '"x"'])
      expect(await ask("POST", "/api/vms", body)).toMatchObject({ status: 400, body: { code: "REQUEST_MALFORMED" } });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
      expect(await ask("POST", "/api/vms", "{}", { headers: { "content-type": type } })).toMatchObject({ status: 415 });
  });

  it("what is no place is 404, and a place that does not take a method says what it takes", async () => {
    const { ask } = await openHere(await world());
    for (const path of ["/api", "/api/", "/api/vm", "/api/vms/web/nothing", "/nothing"])
      expect(await ask("GET", path)).toMatchObject({ status: 404, body: { code: "ROUTE_NOT_FOUND", instance: path } });
    const { status, headers, body } = await ask("PUT", "/api/vms/web");
    expect([status, headers.get("allow"), body.code]).toEqual([405, "GET, DELETE", "METHOD_NOT_ALLOWED"]);
    expect((await ask("OPTIONS", "/api/vms")).headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("the history", () => {
  it("names the token that asked", async () => {
    const { ask, uuid } = await withVm();
    const { body } = await ask("GET", `/api/operations?vm=${uuid}`);
    expect(body.operations).toMatchObject([{ tool: "create_vm", actor: "http:main" }]);
  });
});
