// @module-tag process
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { databaseOf, open as openStore } from "../../store/fixture.ts";
import { memorySettings, temporaryDirectory } from "../../support/memory.ts";
import { foreign, openHarness, seedOf, uuid } from "../../tools/harness.ts";
import { envelope, openRaw, type RawServer } from "../raw.ts";

const VMS = 1_203;

describe("many VMs on two connections", () => {
  const numbers = Array.from({ length: VMS }, (_, n) => n);
  const harness = openHarness({
    local: seedOf(foreign(VMS - 1, "twice")),
    other: seedOf(...numbers.map((n) => foreign(n, `vm-${String(n).padStart(4, "0")}`))),
  });
  const page = (cursor?: string) =>
    harness.server().client.request({ method: "resources/list", params: cursor === undefined ? {} : { cursor } });

  it("are listed by name, in pages that each say where the next begins", async () => {
    const { resources, nextCursor } = await page();
    expect(resources).toHaveLength(1_002);
    expect(resources[2]).toMatchObject({ title: "VM local/twice", description: /^Not managed/ });
    const rest = await page(nextCursor);
    expect(rest).not.toHaveProperty("nextCursor");
    const uris = [...resources, ...rest.resources].map(({ uri }) => uri);
    expect(uris.slice(0, 2)).toEqual(["bootwright://vms", "bootwright://operations"]);
    // The one that both have is one resource.
    expect(uris.slice(2)).toEqual([uuid(VMS - 1), ...numbers.slice(0, -1).map(uuid)].map((id) => `vm://${id}`));
  });

  it("stay where they are in the list when others go before the next page is asked for", async () => {
    const { resources, nextCursor } = await page();
    harness.outsideOn("other", ["undefineVm", uuid(3)]);
    const { resources: rest } = await page(nextCursor);
    expect(rest[0]).toMatchObject({ name: "vm-0999" });
    expect(resources.at(-1)).toMatchObject({ name: "vm-0998" });
  });

  it("are refused a cursor that no page ended with", async () => {
    for (const cursor of ["", "x", "!", Buffer.from("a\0b").toString("base64url")])
      await expect(page(cursor), cursor).rejects.toMatchObject({ code: -32602 });
  });

  it("are completed up to the protocol's bound", async () => {
    const { completion } = await harness.server().client.complete({
      ref: { type: "ref/resource", uri: "vm://{uuid}" },
      argument: { name: "uuid", value: "vm-0" },
    });
    expect(completion.values).toHaveLength(100);
    expect(completion).toMatchObject({ hasMore: true, total: 999 });
  });

  it("cannot be read where two connections have one of that id, and the error names both", async () => {
    await expect(harness.server().client.readResource({ uri: `vm://${uuid(VMS - 1)}` })).rejects.toMatchObject({
      code: -32603,
      data: { code: "VM_AMBIGUOUS", next: "list_vms", details: { candidates: [/^local/, /^other/] } },
    });
  });

  it("are not said to be gone by one connection while the other does not answer", async () => {
    const read = () => harness.server().client.readResource({ uri: `vm://${uuid(VMS + 1)}` });
    await expect(read()).rejects.toMatchObject({ code: -32602 });
    harness.outsideOn("other", ["setManner", "refuses"]);
    await expect(read()).rejects.toMatchObject({
      code: -32603,
      data: { code: "VM_NOT_FOUND", details: { unreachable: ["other"] } },
    });
  });
});

describe("a stream of changes", () => {
  async function open(data = join(temporaryDirectory(), "data")): Promise<RawServer & { data: string }> {
    const server = await openRaw(memorySettings(data), { handshake: false });
    onTestFinished(() => void server.process.kill("SIGKILL"));
    await server.ask("server/discover", envelope);
    return { ...server, data };
  }
  const listen = (id: number, notifications: object) => ({
    id,
    method: "subscriptions/listen",
    params: { ...envelope, notifications },
  });
  const saying = ({ lines }: RawServer, text: string) => lines.filter((line) => line.includes(text));
  const create = (server: RawServer, name: string) =>
    server.ask("tools/call", { ...envelope, name: "create_vm", arguments: { name } });

  it("opens no database where it is about nothing that is in one", async () => {
    const server = await open();
    server.send(listen(70, { toolsListChanged: true }));
    await server.heard("acknowledged");
    await server.ask("resources/templates/list", envelope);
    expect(existsSync(server.data)).toBe(false);
  });

  it("tells what comes after its acknowledgement, each stream what it asked for", async () => {
    const server = await open();
    server.send(listen(70, { resourcesListChanged: true }));
    server.send(listen(71, { resourceSubscriptions: ["bootwright://vms"] }));
    await server.heard('subscriptionId":70');
    await server.heard('subscriptionId":71');
    await create(server, "web");
    await server.heard("resources/list_changed");
    await server.heard("resources/updated");
    for (const line of saying(server, "list_changed")) expect(line).toContain('subscriptionId":70');
    for (const line of saying(server, "resources/updated")) expect(line).toContain('subscriptionId":71');
  });

  it("that is given up while it is opened never opens, and does not count any longer", async () => {
    const data = temporaryDirectory();
    await (await openStore(data)).close();
    // It cannot be opened for as long as somebody else has the database to himself.
    const other = new DatabaseSync(databaseOf(data));
    onTestFinished(() => other.close());
    other.exec("begin exclusive");
    const server = await open(data);
    const uris = Array.from({ length: 1_000 }, (_, n) => `operation://${n}`);
    server.send(listen(70, { resourceSubscriptions: uris }));
    server.send({ method: "notifications/cancelled", params: { ...envelope, requestId: 70 } });
    await server.ask("tools/list", envelope);
    other.exec("rollback");
    server.send(listen(71, { resourceSubscriptions: uris.slice(1), resourcesListChanged: true }));
    await server.heard('subscriptionId":71');
    server.send(listen(72, { resourceSubscriptions: uris.slice(0, 2) }));
    await server.heard("Subscription limit reached");
    await create(server, "web");
    await server.heard("list_changed");
    expect(saying(server, '"id":72')).toEqual([expect.stringContaining("-32603")]);
    expect(saying(server, 'subscriptionId":70')).toEqual([]);
  });

  it("is refused with the reason where the database cannot be opened", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    const server = await open(file);
    server.send(listen(70, { resourcesListChanged: true }));
    await server.heard('"id":70');
    expect(JSON.parse(saying(server, '"id":70')[0]!)).toMatchObject({
      error: { code: -32603, data: { code: "STORE_UNAVAILABLE" } },
    });
  });
});
