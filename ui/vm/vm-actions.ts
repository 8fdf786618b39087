/** What every part of one VM's view works with: what is known of it, and how something is done to it. */
import type { CallTool, Fix, Vm } from "../api/tool.ts";
import type { Act } from "../components/action-runner.ts";
import { callInWords, lacksIso } from "../language/call-label.ts";
import type { Words } from "../language/en.ts";

export type Desk = Readonly<{
  vm: Vm;
  act: Act;
  call: CallTool;
  /** Whether this tool is offered, and this caller may use it. */
  may: (tool: string) => boolean;
  /** Calls a tool on this VM. */
  does: (tool: string, args?: Readonly<Record<string, unknown>>, label?: string) => void;
  /** Does what a finding or a refusal offers. */
  fix: (fix: Fix) => void;
  pickIso: () => void;
}>;

export function deskOf(
  t: Words,
  parts: Pick<Desk, "vm" | "act" | "call" | "may" | "pickIso"> & { showDisk: (check: boolean) => void },
): Desk {
  const { vm, act, pickIso, showDisk } = parts;
  const run = (tool: string, args: Readonly<Record<string, unknown>>, label = callInWords(t, tool, args)) =>
    void act.run({ tool, args, label, vmName: vm.name });
  return {
    ...parts,
    does: (tool, args = {}, label) => run(tool, { vm: vm.uuid, ...args }, label),
    fix({ tool, arguments: args }) {
      if (tool === "attach_iso" && lacksIso(args)) pickIso();
      else if (tool === "get_disk_info") showDisk(args.check === true);
      else run(tool, args);
    },
  };
}
