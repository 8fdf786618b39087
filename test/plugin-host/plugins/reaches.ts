/** Tries what a plugin has no business with, and says how each ended. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { hostname } from "node:os";
import { definePlugin, z } from "../../../src/plugin.ts";

const tries: Record<string, (config: { directory: string; port: number }) => unknown> = {
  "read a file": () => readFileSync("/etc/passwd"),
  "read the database": ({ directory }) => readFileSync(`${directory}/data/bootwright.sqlite`),
  "write a file": ({ directory }) => writeFileSync(`${directory}/elsewhere`, "x"),
  "run a program": () => execFileSync("id"),
  "read the environment": () => process.env.BOOTWRIGHT_SECRET ?? JSON.stringify(process.env),
  "ask for the system's name": () => hostname(),
  "start a worker that may more": () => {
    const { Worker } = globalThis as unknown as { Worker: new (url: string, options: object) => unknown };
    return new Worker("data:text/javascript,1", { type: "module", deno: { permissions: { read: true } } });
  },
  "reach a host": ({ port }) =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(socket.destroy()));
      socket.on("error", reject);
    }),
  "write where it said": ({ directory }) => writeFileSync(`${directory}/own/file`, "x"),
};

export default definePlugin<{ directory: string; port: number; net: string }, { directory: string; port: number }>({
  manifest: { name: "reaches", api: 1, summary: "Reaches further than it may" },
  config: z.object({ directory: z.string(), port: z.coerce.number(), net: z.string().default("") }),
  reach: ({ directory, net }) => ({ write: [`${directory}/own`], ...(net && { net: [net] }) }),
  open: async (config) => config,
  on: {
    "vm.created": async (session, _event, { log }) => {
      for (const [what, attempt] of Object.entries(tries)) {
        try {
          await attempt(session);
          log(`could ${what}`);
        } catch (error) {
          log(`could not ${what}: ${error instanceof Error ? `${error.name} ${error.message}` : error}`);
        }
      }
      console.log("a line on stdout");
      process.stdout.write("another\n");
      log("tried");
    },
  },
});
