// @module-tag process
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { freePort } from "../support/port.ts";
import { foreign, openHarness, seedOf, uuid } from "./harness.ts";

describe("create_guest_link", () => {
  const { call, refused } = openHarness({ local: seedOf(foreign(1, "web"), foreign(2, "foreign")) }, [
    ...["--guest-listen", "127.0.0.1:1", "--plugin", "phone-home", "--plugin", "home=phone-home,boot-order=hd"],
  ]);

  it("answers with a URL for one VM as its guest reaches it, and with what an installer is told", async () => {
    await call("adopt_vm", { vm: "web" });
    const link = await call("create_guest_link", { vm: "web", expires_in_hours: 2 });
    expect(link).toMatchObject({ vm: uuid(1), plugin: "phone-home" });
    expect(link.url).toMatch(
      new RegExp(`^http://10\\.0\\.2\\.2:1/plugins/phone-home/${uuid(1)}/[0-9a-z]+-[0-9a-f]{64}$`),
    );
    expect(Math.abs(Date.parse(link.expires_at) - Date.now() - 7_200_000)).toBeLessThan(60_000);
    for (const snippet of Object.values(link.snippets)) expect(snippet).toContain(link.url);
    expect(link.snippets.cloud_init).toMatch(/^#cloud-config\nphone_home:\n {2}url: "http/);
    const second = await call("create_guest_link", { vm: "web", plugin: "home", host: "[fd00::1]" });
    expect(second.url).toMatch(/^http:\/\/\[fd00::1\]:1\/plugins\/home\//);
    expect(second.url.slice(-64)).not.toBe(link.url.slice(-64));
  });

  it("is refused for a plugin that answers no guests, a VM that is not managed, and a host that is none", async () => {
    const { details } = await refused("GUEST_PLUGIN_NOT_FOUND", "create_guest_link", { vm: "web", plugin: "webhook" });
    expect(details.known).toEqual(["phone-home", "home"]);
    await refused("VM_NOT_MANAGED", "create_guest_link", { vm: "foreign" });
    await refused("VM_NOT_FOUND", "create_guest_link", { vm: "nobody" });
    for (const host of ["a/b", "a b", "'", "x:1", ""])
      await refused("INPUT_INVALID", "create_guest_link", { vm: "web", host });
    for (const hours of [0, 169])
      await refused("INPUT_INVALID", "create_guest_link", { vm: "web", expires_in_hours: hours });
  });
});

describe("create_guest_link where nobody listens", () => {
  const { refused } = openHarness({ local: seedOf(foreign(1, "web")) }, ["--plugin", "phone-home"]);

  it("is refused, and says what to start", async () => {
    expect((await refused("GUEST_LISTENER_OFF", "create_guest_link", { vm: "web" })).hint).toContain("--guest-listen");
  });
});

describe("a guest that calls its link", () => {
  const data = temporaryDirectory("file");
  let server: BootwrightClient;
  let settings: string[];
  beforeAll(async () => {
    settings = [
      ...memorySettings(data, "installsAfterMs=never"),
      ...["--guest-listen", String(await freePort()), "--plugin", "phone-home,boot-order=hd"],
    ];
    server = await openClient({ settings });
  });
  afterAll(() => server.close());
  const linkFor = async (vm: string) =>
    (await server.call("create_guest_link", { vm })).url.replace("//10.0.2.2:", "//127.0.0.1:");
  const create = async (name: string) =>
    (await server.call("create_vm", { name, memory_mb: 256, disk_size_gb: 1, network: "user" })).vm.uuid;

  it("completes the installation once, as the plugin, and sets the boot order that is asked for", async () => {
    const vm = await create("web");
    const url = await linkFor(vm);
    const first = await fetch(url, { method: "POST", body: "hostname=evil%0aname&pub_key_rsa=x" });
    expect([first.status, await first.text()]).toEqual([200, "installation complete\n"]);
    expect(await server.call("get_vm", { vm })).toMatchObject({ installation_status: "Installed", boot_order: "hd" });
    const { operations } = await server.call("list_operations", { vm, limit: 1 });
    expect(operations[0]).toMatchObject({ tool: "complete_installation", actor: "plugin:phone-home" });
    expect((await fetch(url, { method: "POST" })).status).toBe(404);
    const logged = readdirSync(data)
      .map((name) => join(data, name))
      .filter((path) => path.includes("sqlite"));
    for (const path of logged) expect(readFileSync(path, "latin1")).not.toContain(url.slice(-64));
    expect(server.stderr()).toBe("");
  });

  it("succeeds where the installation is complete already", async () => {
    const vm = await create("done");
    await server.call("complete_installation", { vm });
    expect((await fetch(await linkFor(vm))).status).toBe(200);
  });

  it("is refused without a reason where it cannot be completed, and may call again", async () => {
    const vm = await create("gone");
    const url = await linkFor(vm);
    await server.call("delete_vm", { vm, confirm: await confirmationOf(vm) });
    for (let each = 0; each < 2; each++) {
      const answer = await fetch(url);
      expect([answer.status, await answer.text()]).toEqual([409, "not now\n"]);
    }
    expect(server.stderr()).toContain("VM_NOT_FOUND");
  });

  it("is served by whichever server listens, whoever made the link", async () => {
    const vm = await create("other");
    const second = await openClient({ settings });
    try {
      const { url } = await second.call("create_guest_link", { vm });
      expect((await fetch(url.replace("//10.0.2.2:", "//127.0.0.1:"))).status).toBe(200);
    } finally {
      await second.close();
    }
  });

  const confirmationOf = async (vm: string) => {
    const refusal = await server.refusal("delete_vm", { vm });
    return refusal?.details.confirm;
  };
});
