// deno run --allow-read --allow-write --allow-env --allow-sys --allow-run --allow-net
//
// Serves HTTP on Deno under the permissions that docs/deploy.md names for it and no others, and asks it.
import { type Caller, generations } from "../serve/callers.ts";
import { check, expectEqual, hasFailed } from "../support/deno-check.ts";
import { withServer } from "../support/deno-http.ts";

/** Asked for its consent before the power is cut, and told of the VM that it reads. */
async function cutsPower(caller: Caller, uri: string): Promise<void> {
  await caller.call("start_vm", { vm: "web", accept: ["DISK_BLANK"] });
  const end = await caller.reads.hear(uri);
  const { structuredContent } = await caller.call("stop_vm", { vm: "web", force: true });
  expectEqual((structuredContent!.vm as { power: string }).power, "off");
  while (!caller.reads.heard.updated.includes(uri)) await new Promise((resolve) => setTimeout(resolve, 20));
  await end();
  await caller.close();
}

await check("REST, events, MCP and the end on Deno", () =>
  withServer({ connection: "local=memory,installsAfterMs=never" }, async ({ at, token, ask, end }) => {
    const stream = await fetch(`http://${at}/api/events`, { headers: { authorization: `Bearer ${token}` } });
    const made = await ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" }, { "idempotency-key": "k" });
    expectEqual([made.status, made.body.vm.name], [201, "web"]);
    const again = await ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" }, { "idempotency-key": "k" });
    expectEqual([again.status, again.body], [201, made.body]);
    const seen = await ask("GET", "/api/vms/web");
    expectEqual([seen.status, seen.body.boot_order], [200, "cdrom_hd"]);
    const set = (match: string) => ask("POST", "/api/vms/web/boot-order", { boot_order: "hd" }, { "if-match": match });
    expectEqual((await set('"x"')).status, 412);
    expectEqual((await set(seen.headers.get("etag")!)).body.vm.boot_order, "hd");
    expectEqual((await ask("GET", "/api/vms", undefined, { authorization: "Bearer x" })).status, 401);
    expectEqual((await ask("GET", "/api/vms", undefined, { origin: "https://evil.example" })).status, 403);
    expectEqual((await ask("POST", "/api/vms", { name: "x".repeat(2 ** 20) })).status, 413);
    expectEqual((await ask("GET", "/api/openapi.json")).body.openapi, "3.1.1");
    const settings = { url: `http://${at}`, token };
    const asked = () => ({ action: "accept", content: { confirm: true } }) as const;
    for (const connect of Object.values(generations))
      await cutsPower(await connect({ settings, asked }), `vm://${made.body.vm.uuid}`);
    let received = "";
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
      received += chunk;
      if (received.includes("boot_order.changed")) break;
    }
    expectEqual(received.includes('"type":"vm.created"'), true);
    expectEqual(await end(), 0);
  }),
);
process.exit(hasFailed() ? 1 : 0);
