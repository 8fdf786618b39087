/** Opening a VM's console. No tool opens one. */
import { refusalFromProblem } from "./rest.ts";
import { Refused, unreachable } from "./tool.ts";

/** Returns the path of a WebSocket that is valid once and expires soon. @throws Refused */
export async function openConsole(uuid: string): Promise<string> {
  const response = await fetch(`/api/vms/${encodeURIComponent(uuid)}/console`, { method: "POST" }).catch(() => {
    throw unreachable();
  });
  const body = (await response.json().catch(() => undefined)) as { path?: unknown } | undefined;
  if (response.ok && typeof body?.path === "string") return body.path;
  throw new Refused(refusalFromProblem(body));
}
