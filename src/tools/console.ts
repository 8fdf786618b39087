/** Opens a VM's screen and keyboard, for people. No tool opens a console. */
import { DomainError } from "../domain/error.ts";
import type { Target } from "../domain/model/vm.ts";
import type { Console } from "../domain/ports/backend-groups.ts";
import { groupOf } from "./group.ts";
import { readVm } from "./read-vm.ts";
import type { ToolContext } from "./tool.ts";

/** @throws DomainError VM_NOT_FOUND, VM_NOT_MANAGED, GROUP_UNSUPPORTED, CONSOLE_UNAVAILABLE */
export async function openConsole(
  context: ToolContext,
  ref: string,
): Promise<Readonly<{ target: Target; console: Console }>> {
  const { state, backend, stale } = await readVm(context, ref, { images: false });
  if (stale) throw stale.error;
  const { target, vm, record } = state;
  if (!record) throw new DomainError("VM_NOT_MANAGED", { vm: ref });
  const refuse = (reason: string) => new DomainError("CONSOLE_UNAVAILABLE", { vm: vm?.name ?? ref, reason });
  const display = groupOf(context, backend, "display");
  if (vm?.power === "off") throw refuse("it is off");
  const opened = await display.console(target.uuid, context.call.deadline.signal);
  if (!opened) throw refuse("it has no VNC display");
  return { target, console: opened };
}
