/** Completes the installation of the VM whose installer calls a link that was made for this VM alone. The plugin reads
 * nothing that the guest sends: knowing the link is the only proof. */
import { z } from "zod";
import { definePlugin, type FetchContext, PLUGIN_API, presetOrders, ToolRefused } from "../../src/plugin.ts";

const Config = z.strictObject({
  "boot-order": z.enum(presetOrders).optional().describe("Also set this boot order; hd is what an installed VM wants"),
  "detach-iso": z.union([z.boolean(), z.stringbool()]).default(false).describe("Also empty the ISO drive"),
});
type Config = z.infer<typeof Config>;

/** Time limit of a completion, in milliseconds, which allows for a busy VM. */
const LIMIT_MS = 60_000;
/** How long an installer is asked to wait before it tries again, in seconds. */
const AGAIN_AFTER = 10;

export default definePlugin<Config, Config>({
  manifest: {
    name: "phone-home",
    api: PLUGIN_API,
    summary: "Completes an installation when the installer calls",
    permissions: ["vm:write"],
    limitMs: LIMIT_MS,
  },
  config: Config,
  open: async (config) => config,
  async fetch(config, _request, context) {
    const { vm, log } = context;
    if (vm === undefined) return answer(404, "not found");
    try {
      await complete(config, vm, context);
      return answer(200, "installation complete");
    } catch (error) {
      if (!(error instanceof ToolRefused)) throw error;
      log(`cannot complete the installation of ${vm}, whose guest called: ${error.code}: ${error.message}`);
      const again = ["VM_BUSY", "BACKEND_UNAVAILABLE", "VM_CHANGED_MEANWHILE"].includes(error.code);
      // The guest does not learn the reason.
      return again ? answer(503, "try again", { "retry-after": String(AGAIN_AFTER) }) : answer(409, "not now");
    }
  },
});

async function complete(config: Config, vm: string, { call, log }: FetchContext): Promise<void> {
  const order = config["boot-order"];
  const args = { vm, ...(order && { boot_order: order }) };
  try {
    await call("complete_installation", { ...args, detach_iso: config["detach-iso"] });
  } catch (error) {
    // A running installer locks its medium. The system is installed nevertheless.
    if (!(error instanceof ToolRefused && error.code === "TRAY_LOCKED")) throw error;
    await call("complete_installation", args);
    log(`${vm}: its guest holds the ISO, which stays in the drive`);
  }
}

const answer = (status: number, text: string, headers: Record<string, string> = {}): Response =>
  new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
