/** The screen and keyboard of a running VM. */
import { type Console, openVnc } from "../../src/plugin.ts";
import { isOn } from "./process.ts";
import { type QemuSession, requireOpen } from "./session.ts";

/** The console; undefined if the VM is off.
 * @throws DomainError CONSOLE_UNAVAILABLE */
export async function openConsole(
  session: QemuSession,
  uuid: string,
  signal?: AbortSignal,
): Promise<Console | undefined> {
  requireOpen(session, signal);
  if (!(await isOn(session, uuid))) return undefined;
  return openVnc({ path: session.pathsOf(uuid).vnc }, { vm: uuid, signal });
}
