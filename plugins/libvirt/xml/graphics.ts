/** The address of a running domain's screen. */
import type { VncAddress } from "../../../src/plugin.ts";
import { attribute, elementsOf, find, parseXml } from "./tree.ts";

/** The first reachable VNC display of a live definition, with its password if the definition includes passwords;
 * undefined if there is none. */
export function vncOf(xml: string): Readonly<{ at: VncAddress; password?: string }> | undefined {
  for (const graphics of elementsOf(find(parseXml(xml), "devices"), "graphics")) {
    if (attribute(graphics, "type") !== "vnc") continue;
    const listen = elementsOf(graphics, "listen").map((node) => ({
      path: attribute(node, "socket"),
      address: attribute(node, "address"),
    }));
    const path = listen.find((one) => one.path)?.path ?? attribute(graphics, "socket");
    const port = Number(attribute(graphics, "port") ?? -1);
    const address = listen.find((one) => one.address)?.address ?? attribute(graphics, "listen");
    const password = attribute(graphics, "passwd");
    const secret = password !== undefined && { password };
    if (path) return { at: { path }, ...secret };
    if (port > 0) return { at: { host: reachable(address), port }, ...secret };
  }
  return undefined;
}

/** The address to connect to: a server that listens at every address is reachable at loopback. */
const reachable = (address: string | undefined): string =>
  address === undefined || address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
