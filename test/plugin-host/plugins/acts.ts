/** Functions that do what an event tells them to. */
import { closeSync, writeSync } from "node:fs";
import { definePlugin, ToolRefused, z } from "../../../src/plugin.ts";

export default definePlugin<
  { greeting: string; openMs: number; closeMs: number },
  { opened: number; handled: string[] }
>({
  manifest: {
    name: "acts",
    api: 1,
    summary: "Does what it is told",
    permissions: ["vm:read", "vm:write"],
    limitMs: 2_000,
  },
  config: z.object({
    greeting: z.string().default("hello"),
    openMs: z.coerce.number().default(0),
    closeMs: z.coerce.number().default(0),
  }),
  async open({ greeting, openMs }, { log }) {
    if (greeting === "no") throw new Error("no greeting");
    await new Promise((resolve) => setTimeout(resolve, openMs));
    log(`${greeting}, opened`);
    return { opened: Date.now(), handled: [] };
  },
  async close() {
    console.error("closed");
  },
  on: {
    "vm.started": async (session, event, { call, log, signal }) => {
      const { act, tool, args } = event.data as { act?: string; tool?: string; args?: Record<string, unknown> };
      session.handled.push(event.id);
      if (act === "loop") for (;;);
      if (act === "throw") throw new Error("out of order");
      if (act === "exit") process.exit(3);
      if (act === "crash") setTimeout(() => Promise.reject(new Error("nobody waits for this")), 0);
      if (act === "interrupt") for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.kill(process.pid, signal);
      if (act === "kill") process.kill(process.pid, "SIGKILL");
      if (act === "abort") process.abort();
      if (act === "garble") writeSync(3, "this is no message at all");
      if (act === "hang up") closeSync(3);
      if (["hang", "crash", "kill", "garble", "hang up"].includes(act ?? "")) await new Promise(() => undefined);
      if (act === "heed")
        await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      if (act === "print") {
        console.log("printed by console");
        process.stdout.write("printed by process\n");
      }
      if (act === "env") log(`env ${JSON.stringify(process.env)}`);
      // Long enough for an event behind this one to be handled first, were events not handled in order.
      if (act === "sleep") await new Promise((resolve) => setTimeout(resolve, 300));
      if (act === "call")
        try {
          log(`answer ${JSON.stringify(await call(tool!, args))}`);
        } catch (error) {
          if (!(error instanceof ToolRefused)) throw error;
          log(`refused ${JSON.stringify([error.code, error.message, error.details])}`);
        }
      if (act === "unsendable") await call("get_vm", { vm: () => undefined });
      log(`handled ${event.id} ${session.handled.length}`);
    },
  },
  async fetch(_session, request, { vm }) {
    if (request.url.endsWith("/throw")) throw new Error("secret");
    if (request.url.endsWith("/loop")) for (;;);
    if (request.url.endsWith("/large")) return new Response("x".repeat(1024 ** 2 + 1));
    if (request.url.endsWith("/none")) return new Response(null, { status: 204 });
    const text = await request.text();
    return Response.json({ method: request.method, text, vm, header: request.headers.get("x-a") }, { status: 201 });
  },
});
