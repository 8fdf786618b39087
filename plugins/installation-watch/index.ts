/** Recognises that an installation is complete. A system that runs from the VM's own disk is proof enough to
 * complete the installation, if `auto` is set; an installer that ended with a boot record on the disk only makes a
 * suggestion. */
import { z } from "zod";
import { type DomainEvent, definePlugin, type FunctionContext, ToolRefused } from "../../src/plugin.ts";
import { Booted, bootRecord, Disk, Guest, isFromDisk, rootOnDisk, Status } from "./evidence.ts";

// A setting is text where it comes from the command line.
const flag = z.union([z.boolean(), z.stringbool()]).default(false);
const Config = z.strictObject({
  auto: flag.describe("Complete the installation on strong evidence, instead of suggesting it"),
  "boot-order": z.enum(["hd", "hd_cdrom"]).optional().describe("With auto: also set this boot order"),
  "detach-iso": flag.describe("With auto: also empty the ISO drive"),
});
type Config = z.output<typeof Config>;

export default definePlugin({
  manifest: {
    name: "installation-watch",
    api: 1,
    summary: "Recognises that an installation is complete, and says on which evidence",
    permissions: ["vm:read", "vm:write"],
  },
  config: Config,
  open: async (config): Promise<Config> => config,
  close: async () => {},
  on: {
    "agent.connected": lookInside,
    "vm.started": lookInside,
    "vm.rebooted": (_config, event, context) => lookAtDisk("rebooted", event, context),
    "vm.stopped": (_config, event, context) => lookAtDisk("powered off", event, context),
  },
});

async function lookInside(config: Config, event: DomainEvent, context: FunctionContext): Promise<void> {
  const vm = refOf(event);
  if (!(await installing(event, context))) return;
  if (!isFromDisk(Booted.parse(await context.call("get_vm", { vm })))) return;
  const said = await ignoreRefusals(unasked, () => context.call("get_guest_info", { vm }));
  if (said === undefined) return;
  const guest = Guest.parse(said);
  if (guest.agent === "silent" && event.type === "agent.connected")
    throw new Error("the guest's agent has connected but does not answer yet");
  const evidence = rootOnDisk(guest);
  if (evidence === undefined) return;
  if (!config.auto) return suggest(vm, evidence, context);
  const { "boot-order": boot_order, "detach-iso": detach_iso } = config;
  context.log(`${nameOf(event)}: complete, since ${evidence}`);
  await ignoreIfOver(() =>
    context.call("complete_installation", { vm, evidence, detach_iso, ...(boot_order && { boot_order }) }),
  );
}

/** Whether the guest ended by itself; a requested stop proves nothing. */
async function lookAtDisk(ended: string, event: DomainEvent, context: FunctionContext): Promise<void> {
  const vm = refOf(event);
  const { type, data } = event;
  if (type === "vm.stopped" && (data.reason !== "shutdown" || data.operation !== undefined)) return;
  const run = (await installing(event, context))?.last_run;
  if (!run || run.run !== data.run || run.purpose !== "install" || run.device !== "cdrom") return;
  const evidence = bootRecord(ended, Disk.parse(await context.call("get_disk_info", { vm })));
  if (evidence !== undefined) await suggest(vm, evidence, context);
}

/** The status of a VM that is being installed; undefined of any other. */
async function installing(event: DomainEvent, context: FunctionContext) {
  if (event.data.managed === false) return undefined;
  const answer = await ignoreIfOver(() => context.call("get_installation_status", { vm: refOf(event) }));
  const status = answer && Status.parse(answer);
  return status?.installation_status === "Installing" ? status : undefined;
}

async function suggest(vm: string, evidence: string, context: FunctionContext): Promise<void> {
  await ignoreIfOver(() => context.call("suggest_completion", { vm, evidence }));
}

/** Since the event the VM may have gone, or a user may have decided. */
const over = ["VM_NOT_FOUND", "VM_GONE", "VM_NOT_MANAGED", "INSTALLATION_TRANSITION_ILLEGAL"];

const ignoreIfOver = <T>(call: () => Promise<T>) => ignoreRefusals(over, call);

/** Refusals that mean that the VM's connection, or every connection, lacks access to guest agents. */
const unasked = ["TOOL_NOT_FOUND", "GROUP_UNSUPPORTED"];

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
