/** What each backend that ships can change, and which groups it has. */
import { readdirSync } from "node:fs";
import { changes } from "../../src/domain/changes/catalogue.ts";
import type { Capabilities } from "../../src/domain/ports/backend.ts";
import type { Plugin } from "../../src/plugin.ts";
import { backendGroups, groupNames } from "../../src/plugin-host/backend-calls.ts";
import { capabilitiesOf } from "../../src/plugin-host/backends.ts";
import { code, table } from "./markdown.ts";

/** Every plugin of this repository that brings a backend. */
async function shippedBackends(): Promise<Capabilities[]> {
  const folders = readdirSync(new URL("../../plugins/", import.meta.url)).sort();
  const plugins = await Promise.all(
    folders.map(async (name) => (await import(`../../plugins/${name}/index.ts`)).default as Plugin),
  );
  return plugins.filter(({ backend }) => backend).map(capabilitiesOf);
}

export async function changesTable(): Promise<string> {
  const backends = await shippedBackends();
  const words = { now: "now", next_start: "at the next start", refused: "refused" };
  const kinds = Object.keys(changes) as (keyof typeof changes)[];
  const rows = kinds
    .filter((kind) => changes[kind].appliedBy === "backend")
    .map((kind) => [
      code(kind),
      ...backends.map(({ changes: can }) => (can[kind] ? words[can[kind].running] : "not supported")),
    ]);
  return table(["change, to a running VM", ...backends.map(({ backend }) => backend)], rows);
}

export async function groupsTable(): Promise<string> {
  const backends = await shippedBackends();
  const rows = groupNames.map((group) => [
    code(group),
    backendGroups[group].offers,
    ...backends.map(({ groups }) => (groups.includes(group) ? "yes" : "no")),
  ]);
  return table(["group", "what it offers", ...backends.map(({ backend }) => backend)], rows);
}
