/** Shared by every section of one VM's view: the VM, and the ways to act on it. */
import type { CallTool, Fix, Vm } from "../api/tool.ts";
import type { ActionRunner } from "../components/action-runner.ts";
import { callLabel, lacksIso } from "../language/call-label.ts";
import type { Words } from "../language/en.ts";

export type VmActions = Readonly<{
  vm: Vm;
  runner: ActionRunner;
  call: CallTool;
  /** Whether the server offers this tool and the caller may use it. */
  canCall: (tool: string) => boolean;
  /** Calls a tool on this VM. */
  callTool: (tool: string, args?: Readonly<Record<string, unknown>>, label?: string) => void;
  /** Carries out what a finding or a refusal offers. */
  applyFix: (fix: Fix) => void;
}>;

type Parts = Pick<VmActions, "vm" | "runner" | "call" | "canCall"> &
  Readonly<{ focusIsoSearch: () => void; showDisk: (options: { check: boolean }) => void }>;

export function createVmActions(t: Words, { focusIsoSearch, showDisk, ...parts }: Parts): VmActions {
  const { vm, runner } = parts;
  const run = (tool: string, args: Readonly<Record<string, unknown>>, label = callLabel(t, tool, args)) =>
    void runner.run({ tool, args, label, vmName: vm.name });
  return {
    ...parts,
    callTool: (tool, args = {}, label) => run(tool, { vm: vm.uuid, ...args }, label),
    applyFix({ tool, arguments: args }) {
      if (tool === "attach_iso" && lacksIso(args)) focusIsoSearch();
      else if (tool === "get_disk_info") showDisk({ check: args.check === true });
      else run(tool, args);
    },
  };
}
