/** Reports to watchers that something has happened to a VM. */
import type { Occurrence } from "../../src/plugin.ts";
import type { Session } from "./machine.ts";

export function notify({ watchers }: Session, uuid: string, occurrence?: Occurrence): void {
  for (const watcher of watchers) watcher({ uuid, ...(occurrence && { occurrence }) });
}
