/** What a button for a call says. */
import type { Arguments } from "../api/tool.ts";
import type { Words } from "./en.ts";

/** A call that still lacks its ISO: the server names the list where it is found. */
export const lacksIso = (args: Arguments): boolean => String(args.iso_path ?? "").startsWith("<");

export function callInWords(t: Words, tool: string, args: Arguments): string {
  const { call, order } = t;
  if (args.force === true && (tool === "stop_vm" || tool === "restart_vm")) return call.force;
  switch (tool) {
    case "set_boot_order":
      return call.set_boot_order(order[args.boot_order as keyof Words["order"]] ?? String(args.boot_order));
    case "attach_iso":
      return lacksIso(args) ? call.attach_iso : t.iso.attach(lastOf(String(args.iso_path)));
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

const lastOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
