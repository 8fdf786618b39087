/** What the README shows of the program is what the program answers: a server on VMs in memory is asked, as a client does. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type BootwrightClient, openClient } from "../../test/support/client.ts";

type Call = Readonly<{ tool: string; args: Record<string, unknown> }>;
/** One call and the lines of its answer, with the VM's name in the place of its UUID. */
export type Exchange = Call & Readonly<{ refused: boolean; lines: readonly string[] }>;
export type Shown = Readonly<{
  /** From nothing to a VM that runs from its own disk. */
  firstVm: readonly Exchange[];
  /** A refusal, the call that it leads to, the fix, and the call again. */
  refusal: readonly Exchange[];
  /** Calls that are refused, each for another reason. */
  refused: readonly Exchange[];
}>;

const POLL_MS = 50;
const INSTALLED_LIMIT_MS = 60_000;

export async function showSession(): Promise<Shown> {
  const directory = await mkdtemp(join(tmpdir(), "bootwright-docs-"));
  const connection = "local=memory,installsAfterMs=50,installerHonoursShutdown=true";
  const server = await openClient({ settings: ["--data", directory, "--connection", connection] });
  try {
    return { firstVm: await firstVm(server), refusal: await refusal(server), refused: await refused(server) };
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function firstVm(server: BootwrightClient): Promise<Exchange[]> {
  const made = [
    await ask(server, "create_vm", { name: "web", iso_path: "installer.iso" }),
    await ask(server, "start_vm", { vm: "web" }),
  ];
  await installed(server, "web");
  made.push(await checkBoot(server, "web"));
  made.push(await ask(server, "complete_installation", { vm: "web", boot_order: "hd", detach_iso: true }));
  made.push(await ask(server, "restart_vm", { vm: "web" }));
  return made;
}

async function refusal(server: BootwrightClient): Promise<Exchange[]> {
  await server.call("create_vm", { name: "mail", iso_path: "installer.iso", boot_order: "hd" });
  const first = [await ask(server, "start_vm", { vm: "mail" }), await checkBoot(server, "mail")];
  const { findings } = await server.call("check_boot", { vm: "mail" });
  const fix = findings.flatMap(({ fixes }) => fixes).find(({ tool }) => tool === "set_boot_order");
  if (!fix) throw new Error("check_boot offers no other boot order for a blank disk");
  const mended = await ask(server, fix.tool, { ...fix.arguments, vm: "mail" });
  return [...first, mended, await ask(server, "start_vm", { vm: "mail" })];
}

async function refused(server: BootwrightClient): Promise<Exchange[]> {
  await server.call("create_vm", { name: "db", iso_path: "installer.iso", firmware: "uefi" });
  await server.call("start_vm", { vm: "db" });
  await installed(server, "db");
  await server.call("complete_installation", { vm: "db", boot_order: "hd" });
  return [
    await ask(server, "set_boot_order", { vm: "db", boot_order: "cdrom" }),
    await ask(server, "resize_disk", { vm: "db", size_gb: 10 }),
    await ask(server, "attach_iso", { vm: "db", iso_path: "/etc/shadow" }),
  ];
}

async function installed(server: BootwrightClient, vm: string): Promise<void> {
  const until = Date.now() + INSTALLED_LIMIT_MS;
  while ((await server.call("get_disk_info", { vm })).content !== "data") {
    if (Date.now() > until) throw new Error(`The installer of ${vm} in memory did not end`);
    await sleep(POLL_MS);
  }
}

async function ask(server: BootwrightClient, tool: string, args: Record<string, unknown>): Promise<Exchange> {
  const { content, isError } = await server.client.callTool({ name: tool, arguments: args });
  const text = (content as { text?: string }[]).map((part) => part.text ?? "").join("\n");
  return { tool, args, refused: isError === true, lines: (await named(server, text)).split("\n") };
}

/** What `check_boot` answers is data for a model; here the part of it that is looked for. */
async function checkBoot(server: BootwrightClient, vm: string): Promise<Exchange> {
  const { cold_start: cold, findings } = await server.call("check_boot", { vm });
  const boots = cold.boots === "none" ? "boots nothing" : `boots ${cold.boots}`;
  const causes = cold.devices.map(({ device, cause }) => `${device}: ${cause}`).join("; ");
  const [first] = findings;
  const mends = first?.fixes.map((fix) => callText({ tool: fix.tool, args: fix.arguments })).join(" or ");
  const text = [
    `A cold start ${boots} (${causes})`,
    first && `${first.code}: ${first.message}`,
    mends && `mend: ${mends}`,
  ];
  const lines = (await named(server, text.filter(Boolean).join("\n"))).split("\n");
  return { tool: "check_boot", args: { vm }, refused: false, lines };
}

async function named(server: BootwrightClient, text: string): Promise<string> {
  const { vms } = await server.call("list_vms");
  return vms.reduce((renamed, { uuid, name }) => renamed.replaceAll(uuid, name), text);
}

export const callText = ({ tool, args }: Call): string => `${tool} ${JSON.stringify(args)}`;
