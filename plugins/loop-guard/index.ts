/** Catches an installer that starts again after it has installed: a guest's reboot uses the boot order that the VM was
 * started with, and with the medium first that is the installer. `at_reboot` of `start_vm` decides the reaction;
 * without it the plugin only reports. */
import { z } from "zod";
import { type DomainEvent, definePlugin, type FunctionContext, ToolRefused } from "../../src/plugin.ts";

const Config = z.strictObject({
  force: z
    .union([z.boolean(), z.stringbool()])
    .default(false)
    .describe("Open the tray to eject although the guest has locked it"),
  "eject-within-ms": z.coerce
    .number()
    .int()
    .min(0)
    .max(60_000)
    .default(800)
    .describe("How long after the reboot it still ejects: later the firmware may be reading the medium"),
});
type Config = z.output<typeof Config>;

const Status = z.object({
  installation_status: z.string(),
  last_run: z.object({ run: z.string(), purpose: z.string(), device: z.string(), at_reboot: z.string() }).optional(),
});
const Disk = z.object({
  disk: z.string(),
  verdict: z.string().optional(),
  written_in_run: z.boolean().optional(),
});
const Order = z.object({ running_boot_order: z.string().optional() });

export default definePlugin({
  manifest: {
    name: "loop-guard",
    api: 1,
    summary: "Catches an installer that is about to run again: reports it, ejects the ISO, or starts from the disk",
    permissions: ["vm:read", "vm:write"],
  },
  config: Config,
  open: async (config): Promise<Config> => config,
  close: async () => {},
  on: {
    // A call at the start makes this worker run before the installer reboots, when time is short.
    "vm.started": () => {},
    "vm.rebooted": rebooted,
    "vm.stopped": stopped,
  },
});

/** Ejects the ISO before the firmware reads it, within about a second. An eject during the boot loader would hang the
 * guest; an installer that runs once more does not, and its next reboot is the next chance. */
async function rebooted(config: Config, event: DomainEvent, context: FunctionContext): Promise<void> {
  const vm = refOf(event);
  const [run, order, disk] = await Promise.all([
    installing(event, context),
    ignoreRefusals(gone, () => context.call("get_boot_order", { vm })),
    ignoreRefusals(gone, () => written(vm, context)),
  ]);
  if (!run || !order) return;
  const { running_boot_order: running } = Order.parse(order);
  // With the disk first the reset boots it by itself.
  if (disk === undefined || (running !== "cdrom_hd" && running !== "cdrom")) return;
  const found = `the guest rebooted in the run that installs, after it wrote a boot record to disk ${disk}`;
  const ejects = run.at_reboot === "eject" && running === "cdrom_hd";
  const isLate = Date.now() - Date.parse(event.time) > config["eject-within-ms"];
  if (ejects && isLate) context.log(`${nameOf(event)}: too late to eject the ISO; the next reboot is the next chance`);
  const ejected = ejects && !isLate && (await eject(vm, config.force, context));
  context.log(`${nameOf(event)}: ${ejected ? "ejected the ISO, the disk is next" : "the installer runs again"}`);
  const next = ejected ? "the ISO was ejected, so the disk is next" : "the medium is next, so the installer runs again";
  await ignoreRefusals(["INSTALLATION_TRANSITION_ILLEGAL"], () =>
    context.call("suggest_completion", { vm, evidence: `${found}; ${next}` }),
  );
}

/** Ejects the ISO; false if the guest keeps the tray locked. */
async function eject(vm: string, force: boolean, context: FunctionContext): Promise<boolean> {
  return (await ignoreRefusals(["TRAY_LOCKED"], () => context.call("detach_iso", { vm, force }))) !== undefined;
}

/** Starts the VM again, from the disk, after a run that ended with the guest's reboot. */
async function stopped(_config: Config, event: DomainEvent, context: FunctionContext): Promise<void> {
  const vm = refOf(event);
  // An end by an operation was requested.
  if (event.data.reason !== "shutdown" || event.data.operation !== undefined) return;
  if ((await installing(event, context))?.at_reboot !== "boot_disk") return;
  if ((await written(vm, context)) === undefined) {
    context.log(`${nameOf(event)}: stays off, since its run ended without a new boot record on the disk`);
    return;
  }
  await context.call("set_boot_order", { vm, boot_order: "hd" });
  await context.call("start_vm", { vm, purpose: "normal" });
  context.log(`${nameOf(event)}: started from the disk`);
}

const gone = ["VM_NOT_FOUND", "VM_GONE", "VM_NOT_MANAGED"];

/** The run that the event is about, if it installs from a medium and is still the last one. */
async function installing(event: DomainEvent, context: FunctionContext) {
  if (event.data.managed === false) return undefined;
  const answer = await ignoreRefusals(gone, () => context.call("get_installation_status", { vm: refOf(event) }));
  const status = answer && Status.parse(answer);
  const run = status?.last_run;
  if (status?.installation_status !== "Installing" || run?.run !== event.data.run) return undefined;
  return run?.purpose === "install" && run.device === "cdrom" ? run : undefined;
}

/** The disk, if a boot record for this VM's own firmware was written to it in this run. */
async function written(vm: string, context: FunctionContext): Promise<string | undefined> {
  const info = Disk.parse(await context.call("get_disk_info", { vm }));
  return info.verdict === "boots" && info.written_in_run !== false ? info.disk : undefined;
}

/** The call's answer; undefined if it is refused with one of these codes. */
async function ignoreRefusals<T>(codes: readonly string[], call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ToolRefused && codes.includes(error.code)) return undefined;
    throw error;
  }
}

const refOf = ({ source, subject }: DomainEvent): string => `${source.replace(/^bootwright\//, "")}/${subject}`;
const nameOf = ({ data, subject }: DomainEvent): string => (typeof data.name === "string" ? data.name : subject);
