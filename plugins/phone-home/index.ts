/** Completes the installation of the VM whose installer calls, by a link that was made for it alone. Nothing that the
 * guest sends is read: that it knows the link is all there is to know. */
import { z } from "zod";
import { definePlugin, type FetchContext, PLUGIN_API, presetOrders, ToolRefused } from "../../src/plugin.ts";

const Config = z.strictObject({
  "boot-order": z.enum(presetOrders).optional().describe("Also set this boot order; hd is what an installed VM wants"),
  "detach-iso": z.union([z.boolean(), z.stringbool()]).default(false).describe("Also empty the ISO drive"),
});
type Config = z.infer<typeof Config>;

/** The VM may be busy, and that is waited for. */
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
      log(`${vm} called, and its installation cannot be completed: ${error.code}: ${error.message}`);
      const again = ["VM_BUSY", "BACKEND_UNAVAILABLE", "VM_CHANGED_MEANWHILE"].includes(error.code);
      // Why, is none of the guest's business.
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
    // An installer that runs from its medium holds it. That the system is installed is true all the same.
    if (!(error instanceof ToolRefused && error.code === "TRAY_LOCKED")) throw error;
    await call("complete_installation", args);
    log(`${vm}: its guest holds the ISO, which stays in the drive`);
  }
}

const answer = (status: number, text: string, headers: Record<string, string> = {}): Response =>
  new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
