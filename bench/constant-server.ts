// The HTTP application with one more place, that answers with a file's text as it was when this began: everything that a
// request to a tool's place goes through, without the tool. And a bare page that shows that text.
import { readFileSync } from "node:fs";
import { requireScope } from "../src/serve/http/environment.ts";
import { serveCommand } from "../src/serve/http/serve-command.ts";
import { withJobs } from "../test/support/jobs.ts";
import { bare } from "./page.ts";

const [data, file] = process.argv.slice(2);
const text = readFileSync(file!, "utf8");
const ending = new AbortController();
process.once("SIGTERM", () => ending.abort());
const nothing = (): never => {
  throw new Error("nothing is called here");
};
const services = withJobs({
  connections: { names: [], capabilities: nothing, backend: nothing },
  plugins: { list: nothing },
  store: nothing,
  newId: nothing,
  now: nothing,
  claimWaitMs: 0,
});
const log = (message: string) => process.stderr.write(`${message}\n`);
process.exitCode = await serveCommand(
  {
    appContext: { tools: [], confirm: "token", version: "0.0.0", services, log, defect: (error) => String(error) },
    data: data!,
    address: "127.0.0.1",
    port: 0,
    allowHosts: [],
    token: process.env.BOOTWRIGHT_TOKEN!,
    log,
    // A constant is answered more often than anybody may look.
    rates: { reads: { burst: 1e9, perSecond: 1e9 } },
    mount: (app) => {
      app.get("/constant", (context) => {
        requireScope(context, "vm:read");
        return new Response(text, { headers: { "content-type": "application/json" } });
      });
      app.get("/bare", (context) => context.html(bare.html));
      app.get("/bare.js", (context) => context.body(bare.script, 200, { "content-type": "text/javascript" }));
    },
  },
  ending.signal,
);
