/** The label of a button for a call. */
import type { Arguments } from "../api/tool.ts";
import type { Words } from "./en.ts";

/** Whether the call still lacks its ISO: the server puts a placeholder `<…>` there. */
export const lacksIso = (args: Arguments): boolean => String(args.iso_path ?? "").startsWith("<");

export function callLabel(t: Words, tool: string, args: Arguments): string {
  const { call, order } = t;
  if (args.force === true && (tool === "stop_vm" || tool === "restart_vm")) return call.force;
  switch (tool) {
    case "set_boot_order":
      return call.set_boot_order(order[args.boot_order as keyof Words["order"]] ?? String(args.boot_order));
    case "attach_iso":
      return lacksIso(args) ? call.attach_iso : t.iso.attach(baseName(String(args.iso_path)));
    case "start_vm":
      return args.discard_saved_state === true ? call.discard : call.start_vm;
    case "complete_installation":
      return args.boot_order !== undefined && args.detach_iso === true ? call.complete_all : call.complete_installation;
    case "get_disk_info":
      return args.check === true ? t.disk.check : call.get_disk_info;
    case "repair_vm":
      return args.action === "adopt" ? call.repair_adopt : call.repair_put_back;
    default: {
      const known = (call as Readonly<Record<string, unknown>>)[tool];
      return typeof known === "string" ? known : tool.replaceAll("_", " ");
    }
  }
}

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
