import { expect, it } from "vitest";
import { acts, open } from "./harness.ts";

const base = "http://localhost/plugins/acts";
const host = () => open([{ plugin: acts, config: {} }]);

it("a plugin's fetch is given the request, and its response comes back", async () => {
  const { handle } = await host();
  const request = new Request(`${base}/done`, { method: "POST", body: "finished", headers: { "x-a": "1" } });
  const response = await handle("acts", request, { vm: "web" });
  expect([response.status, response.headers.get("content-type")]).toEqual([201, "application/json"]);
  expect(await response.json()).toEqual({ method: "POST", text: "finished", vm: "web", header: "1" });
  expect(await (await handle("acts", new Request(`${base}/x`))).json()).toEqual({
    method: "GET",
    text: "",
    header: null,
  });
  expect((await handle("acts", new Request(`${base}/none`))).status).toBe(204);
});

it("every failure of a plugin's fetch has a status, and says nothing of what went wrong", async () => {
  const { handle, list } = await host();
  expect((await handle("other", new Request(base))).status).toBe(404);
  const failed = await handle("acts", new Request(`${base}/throw`));
  expect([failed.status, await failed.text()]).toEqual([500, "The plugin did not answer\n"]);
  expect((await handle("acts", new Request(`${base}/large`))).status).toBe(500);
  expect((await list())[0]).toMatchObject({ failures: 2, lastError: expect.stringContaining("1048576 bytes at most") });
  const large = new Request(base, { method: "POST", body: new Uint8Array(1024 ** 2 + 1) });
  expect((await handle("acts", large)).status).toBe(413);
  expect((await handle("acts", new Request(`${base}/loop`))).status).toBe(504);
  expect((await handle("acts", new Request(`${base}/none`))).status).toBe(204);
});
