// @module-tag process
// Goal: a guest can make the one call that a link was made for, and nothing else. Method: the real listener on the real
// store. What it cannot see: what is no proper HTTP (guest-listener-wire.test.ts), real guests and plugins
// (phone-home.real.test.ts).

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { linkPath } from "../../src/domain/guest-link.ts";
import { type GuestListenerOptions, listenForGuests } from "../../src/serve/guest-listener.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { HOUR_MS, offer, storeIn, vm } from "./offered-link.ts";

type Call = { plugin: string; request: Request; vm: string; body: string };

/** A listener in this process; `answer` is what its plugin says. */
async function open(
  answer: (call: Call) => Response | Promise<Response> = () => new Response("done\n"),
  more: Partial<GuestListenerOptions> = {},
) {
  const store = await storeIn(temporaryDirectory(), more.now);
  const calls: Call[] = [];
  const lines: string[] = [];
  const listener = listenForGuests({
    address: "127.0.0.1",
    port: 0,
    connections: ["other", "local"],
    store: async () => store,
    handle: async (plugin, request, context) => {
      const call = { plugin, request, vm: context.vm, body: await request.text() };
      calls.push(call);
      return answer(call);
    },
    log: (line) => void lines.push(line),
    defect: (error) => {
      lines.push(`defect: ${error}`);
      return "1";
    },
    ...more,
  });
  onTestFinished(async () => {
    await listener.close();
    await store.close();
  });
  const base = `http://127.0.0.1:${more.port === undefined ? (await listener.listening).port : more.port}`;
  return { store, calls, lines, listener, base };
}

describe("a link", () => {
  test.each(["GET", "POST"])("is good for one %s that succeeds", async (method) => {
    const { store, calls, base } = await open();
    const url = base + (await offer(store));
    const first = await fetch(url, { method, ...(method === "POST" && { body: "hostname=web" }) });
    expect([first.status, await first.text()]).toEqual([200, "done\n"]);
    expect(calls[0]).toMatchObject({ plugin: "phone-home", vm: `local/${vm.uuid}` });
    expect(calls[0]!.body).toBe(method === "POST" ? "hostname=web" : "");
    const second = await fetch(url, { method });
    expect([second.status, await second.text()]).toEqual([404, ""]);
    expect(calls).toHaveLength(1);
  });

  test("takes a body whose length is not stated, up to what it takes", async () => {
    const { store, calls, base, lines } = await open();
    const post = async (text: string) =>
      fetch(base + (await offer(store)), {
        method: "POST",
        body: new Blob([text]).stream(),
        duplex: "half",
      } as RequestInit);
    expect((await post("hostname=web")).status).toBe(200);
    expect(calls.map(({ body }) => body)).toEqual(["hostname=web"]);
    expect((await post("x".repeat(65_537))).status).toBe(413);
    expect([calls.length, lines]).toEqual([1, []]);
  });

  test("is good again after a call that failed, and only then", async () => {
    const answers = [503, 409, 302, 204];
    const { store, base } = await open(() => new Response(null, { status: answers.shift()! }));
    const url = base + (await offer(store));
    const statuses: number[] = [];
    for (let each = 0; each < 5; each++)
      statuses.push((await fetch(url, { method: "POST", redirect: "manual" })).status);
    expect(statuses).toEqual([503, 409, 302, 204, 404]);
  });

  test("is good again after a fault of the plugin's, of which the guest learns nothing", async () => {
    const { store, base, lines, calls } = await open(({ body }) => {
      if (body === "1") throw new Error("a secret of the plugin's");
      return new Response("done\n");
    });
    const url = base + (await offer(store));
    const failed = await fetch(url, { method: "POST", body: "1" });
    expect([failed.status, await failed.text()]).toEqual([503, ""]);
    expect(lines).toEqual(["defect: Error: a secret of the plugin's"]);
    expect((await fetch(url, { method: "POST", body: "2" })).status).toBe(200);
    expect(calls).toHaveLength(2);
  });

  test("serves one of many calls that come at once", async () => {
    const { store, base, calls } = await open();
    const url = base + (await offer(store));
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await fetch(url)).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(calls).toHaveLength(1);
  });

  test("ends with its time, however often it was given back", async () => {
    let later = 0;
    const { store, base, calls } = await open(() => new Response(null, { status: 503 }), {
      now: () => new Date(Date.now() + later),
    });
    const url = base + (await offer(store));
    expect((await fetch(url)).status).toBe(503);
    later = HOUR_MS - 10_000;
    expect((await fetch(url)).status).toBe(503);
    later = HOUR_MS;
    expect((await fetch(url)).status).toBe(404);
    expect(calls).toHaveLength(2);
  });

  test("is good for no other VM, plugin or time, and a call that tries leaves it", async () => {
    const { store, base, calls } = await open();
    const path = await offer(store);
    const [, , plugin, uuid, token] = path.split("/") as [string, string, string, string, string];
    const other = "0a6b7f52-1111-4222-8333-444455559999";
    const longer = `${(Date.now() + 2 * HOUR_MS).toString(36)}-${token.split("-")[1]}`;
    const wrong = [
      linkPath(plugin, other, token),
      linkPath("webhook", uuid, token),
      linkPath(plugin, uuid, longer),
      linkPath(plugin, uuid, token.toUpperCase()),
      linkPath(plugin, uuid, `${token}0`),
      linkPath(plugin, uuid.toUpperCase(), token),
      `${path}/`,
      `${path}/more`,
      `/${path}`,
    ];
    for (const each of wrong) expect((await fetch(base + each)).status, each).toBe(404);
    expect(calls).toEqual([]);
    expect((await fetch(base + path)).status).toBe(200);
  });

  test("tells the plugin nothing of itself and of the guest's headers but the body's type", async () => {
    const { store, base, calls } = await open();
    const path = await offer(store);
    const headers = { "content-type": "application/x-www-form-urlencoded", authorization: "x", cookie: "y" };
    await fetch(base + path, { method: "POST", body: "a=b", headers });
    const [{ request }] = calls as [Call];
    expect([...request.headers]).toEqual([["content-type", headers["content-type"]]]);
    expect(request.url).toBe("http://guest.invalid/plugins/phone-home/");
  });
});

test("an address that asks too often is put off, and let in again later", async () => {
  let now = Date.now();
  const { store, base } = await open(undefined, {
    rate: { burst: 3, perSecond: 1 },
    now: () => new Date(now),
  });
  const path = await offer(store);
  const statuses: number[] = [];
  for (let each = 0; each < 5; each++) statuses.push((await fetch(`${base}/`)).status);
  expect(statuses).toEqual([404, 404, 404, 429, 429]);
  now += 1_000;
  expect((await fetch(base + path)).status).toBe(200);
});

test("a port that another process has is taken over when it is free, and told of once", async () => {
  const holder = createServer();
  await once(holder.listen(0, "127.0.0.1"), "listening");
  const { port } = holder.address() as AddressInfo;
  const { lines, listener, base } = await open(undefined, { port });
  await expect.poll(() => lines).toEqual([expect.stringContaining("another process has that port")]);
  holder.close();
  expect(await listener.listening).toMatchObject({ port });
  expect((await fetch(`${base}/`)).status).toBe(404);
  expect(lines).toHaveLength(1);
});
