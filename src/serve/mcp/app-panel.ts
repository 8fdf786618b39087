/** The panel in the chat: a page of one VM for hosts that show such things (MCP Apps, 2026-01-26). Every other host shows
 * the same facts as text. */
import type { Answers } from "../../tools/catalogue.ts";

export const PANEL_URI = "ui://bootwright/vm";
const mimeType = "text/html;profile=mcp-app";

const NOT_BUILT = "<!doctype html><title>Bootwright</title>The panel is not built: npm run build:page makes it.";

/** What a host is given to show; it needs nothing from any network. */
export const panelContents = (text = NOT_BUILT) => [
  { uri: PANEL_URI, mimeType, text, _meta: { ui: { prefersBorder: true } } },
];

/** Where an answer is the beginning of something that a person goes on with. */
const shownFor = new Set<string>(["get_vm", "create_vm", "start_vm"] satisfies (keyof Answers)[]);

/** What a host is told with a tool: the second key is that of hosts from before 2026. */
export const panelMeta = (tool: string) =>
  shownFor.has(tool) ? { _meta: { ui: { resourceUri: PANEL_URI }, "ui/resourceUri": PANEL_URI } } : {};
