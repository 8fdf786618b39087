/** The panel in the chat: a page of one VM, for hosts with MCP Apps (2026-01-26). Other hosts show the same facts as
 * text. */
import type { Answers } from "../../tools/catalogue.ts";

export const PANEL_URI = "ui://bootwright/vm";
const mimeType = "text/html;profile=mcp-app";

const NOT_BUILT = "<!doctype html><title>Bootwright</title>The panel is not built: run npm run build:page.";

/** The panel as a resource. It loads nothing from a network. */
export const panelContents = (text = NOT_BUILT) => [
  { uri: PANEL_URI, mimeType, text, _meta: { ui: { prefersBorder: true } } },
];

/** The tools whose answers show the panel. */
const shownFor = new Set<string>(["get_vm", "create_vm", "start_vm"] satisfies (keyof Answers)[]);

/** The panel in a tool's metadata. The second key is for hosts from before 2026. */
export const panelMeta = (tool: string) =>
  shownFor.has(tool) ? { _meta: { ui: { resourceUri: PANEL_URI }, "ui/resourceUri": PANEL_URI } } : {};
