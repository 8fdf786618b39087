/** What plugins answer below /plugins/. */
import { describe, expect, it } from "vitest";
import { openHere } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

/** A server whose plugin `echo` tells what it was sent. */
async function withEcho(answer?: () => Response) {
  const seen: { name: string; request: Request; body: Uint8Array }[] = [];
  const server = await openHere(await world(), {
    async plugins(name, request) {
      if (name !== "echo") return new Response(null, { status: 404 });
      seen.push({ name, request, body: new Uint8Array(await request.clone().arrayBuffer()) });
      return answer?.() ?? new Response("<p>hello</p>", { headers: { "content-type": "text/html" } });
    },
  });
  return { ...server, seen };
}

describe("a plugin", () => {
  it("is given the request without what says who asks", async () => {
    const { ask, seen, url } = await withEcho();
    const headers = { cookie: "a=b", "x-own": "1" };
    expect((await ask("GET", "/plugins/echo/a/b?c=d", undefined, { headers })).body).toBe("<p>hello</p>");
    await ask("POST", "/plugins/echo/", "bytes", { headers });
    const [look, change] = seen;
    expect([look!.request.url, look!.request.method]).toEqual([`${url}/plugins/echo/a/b?c=d`, "GET"]);
    for (const { request } of seen)
      expect([...request.headers.keys()].filter((name) => /^(authorization|cookie|x-own)$/.test(name))).toEqual([
        "x-own",
      ]);
    expect(new TextDecoder().decode(change!.body)).toBe("bytes");
  });

  it("is not reached without a token, nor when there is none of that name", async () => {
    const { ask, seen } = await withEcho();
    expect((await ask("GET", "/plugins/echo/", undefined, { token: null })).status).toBe(401);
    expect((await ask("GET", "/plugins/other/")).status).toBe(404);
    expect((await (await openHere(await world())).ask("GET", "/plugins/echo/")).status).toBe(404);
    expect(seen).toEqual([]);
  });

  it("has pages that cannot act as whoever looks at them, and logs nobody in", async () => {
    const { ask } = await withEcho(
      () =>
        new Response("x", { headers: { "set-cookie": "bootwright=x", "content-security-policy": "default-src *" } }),
    );
    const { headers } = await ask("GET", "/plugins/echo/");
    expect(headers.get("content-security-policy")).toBe("sandbox; frame-ancestors 'none'");
    expect(headers.get("set-cookie")).toBeNull();
    const form = await ask("POST", "/plugins/echo/", "x", { headers: { origin: "null" } });
    expect([form.status, form.body.code]).toEqual([403, "ORIGIN_REFUSED"]);
  });

  it("gets no more of a body than is taken", async () => {
    const { ask, seen } = await withEcho();
    expect((await ask("POST", "/plugins/echo/", "x".repeat(2 ** 20 + 1))).status).toBe(413);
    expect(seen).toEqual([]);
  });
});
