// Writes the tables of README.md and docs/plugins.md that the program itself can tell: between the markers `<!-- NAME -->` and
// `<!-- /NAME -->`, from the tools, the settings, the findings, the errors and the plugins' own definitions.
//
//   node scripts/docs.ts [--check]      --check writes nothing and fails when a table is out of date

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { settings, variableOf } from "../src/config/config.ts";
import { changes } from "../src/domain/changes/catalogue.ts";
import { errorCodes } from "../src/domain/error.ts";
import { type EventType, eventTypes } from "../src/domain/model/event.ts";
import { finding, findingCodes } from "../src/domain/model/finding.ts";
import type { Capabilities } from "../src/domain/ports/backend.ts";
import type { Plugin } from "../src/plugin.ts";
import { capabilitiesOf } from "../src/plugin-host/backends.ts";
import { openApiOf } from "../src/serve/http/openapi.ts";
import { allTools } from "../src/tools/catalogue.ts";
import { nextTool } from "../src/tools/respond.ts";
import type { Tool } from "../src/tools/tool.ts";
import { apiPage } from "./api-docs.ts";

const code = (text: string) => `\`${text}\``;

/** A table as Markdown; a bar in a cell would end it. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Up to the first full stop that ends a sentence. */
const firstSentence = (text: string) => /^.*?[.](?=\s|$)/s.exec(text)?.[0] ?? text;

/** @throws Error for a tool that does not say what people are to call it and what it does */
export function toolsTable(tools: readonly Pick<Tool, "name" | "title" | "description" | "effect">[]): string {
  for (const { name, title, description } of tools) {
    if (!title.trim()) throw new Error(`Tool "${name}" has no title: say in its definition what people call it`);
    if (!description.trim()) throw new Error(`Tool "${name}" has no description: say in its definition what it does`);
  }
  return table(
    ["tool", "what it does", "effect"],
    tools.map(({ name, description, effect }) => [code(name), firstSentence(description), effect]),
  );
}

const settingsTable = () =>
  table(
    ["flag", "variable", "default", "meaning"],
    Object.entries(settings).map(([name, { shown, help }]) => [
      code(`--${name}`),
      code(variableOf(name)),
      code(shown),
      help,
    ]),
  );

const findingsTable = () =>
  table(
    ["finding", "severity", "blocks", "can be accepted"],
    findingCodes.map((name) => {
      const { severity, blocks, overridable } = finding(name, "");
      return [code(name), severity, blocks.join(", ") || "–", blocks.length === 0 ? "–" : overridable ? "yes" : "no"];
    }),
  );

/** Codes by the call that comes next: a model follows it, and a person sees what belongs together. */
function errorsTable(): string {
  const groups = Map.groupBy([...errorCodes], (name) => nextTool[name]);
  const rows = [...groups].sort(([a], [b]) => Number(a === null) - Number(b === null));
  return table(
    ["next call", "codes"],
    rows.map(([tool, codes]) => [tool === null ? "– (the hint says it all)" : code(tool), codes.map(code).join(" ")]),
  );
}

function changesTable(backends: readonly Capabilities[]): string {
  const words = { now: "now", next_start: "at the next start", refused: "refused" };
  const kinds = Object.keys(changes) as (keyof typeof changes)[];
  const rows = kinds
    .filter((kind) => changes[kind].appliedBy === "backend")
    .map((kind) => [
      code(kind),
      ...backends.map(({ changes: can }) => (can[kind] ? words[can[kind].running] : "not supported")),
    ]);
  const consoles = [
    "(its screen and keyboard)",
    ...backends.map((one) => (one.console ? "in the browser" : "not supported")),
  ];
  return table(["change, to a running VM", ...backends.map(({ backend }) => backend)], [...rows, consoles]);
}

/** When it happens, and what is in its `data` beside the operation's id, where an operation did it. */
const events: Record<EventType, readonly [when: string, data: string]> = {
  "vm.created": ["`create_vm` made it", "`name`, `boot_order`, `disk_path`, `iso_path`"],
  "vm.adopted": ["it was taken under management", "`name`"],
  "vm.deleted": ["`delete_vm` removed it", "`name`"],
  "vm.renamed": ["`repair_vm` gave it another name", "`from`, `to`"],
  "vm.restored": ["its definition was put back", "`from_operation` and `was_gone`, or as `vm.created`"],
  "vm.reconciled": ["`repair_vm` made the record agree with what is there", "`from`, `to`"],
  "vm.started": ["it runs, whoever started it", "`run`; from an operation `purpose` and `boot_device` too"],
  "vm.stopped": ["it no longer runs", "`run`, `reason`"],
  "vm.paused": ["somebody halted it; its memory stays", "`run`"],
  "vm.resumed": ["it goes on where it was halted", "`run`"],
  "vm.rebooted": ["the guest was reset; one reboot is one event", "`run`, `reboots`"],
  "vm.crashed": ["the guest crashed", "`run`"],
  "vm.changed_elsewhere": [
    "another program defined, edited, renamed or removed it, or changed what is in a drive of it while it runs",
    "`what`: `defined`, `redefined`, `renamed`, `undefined`, `media`; `from`, `to`, `drive`",
  ],
  "boot_order.changed": ["the boot order is another one", "`from`, `to`"],
  "media.attached": ["an ISO was put into a drive", "`drive`, `path`, `replaced`"],
  "media.detached": ["a drive was emptied", "`drive`, `path`"],
  "media.ejected_by_guest": ["the guest opened the tray", "`run`, `drive`, `path`"],
  "disk.resized": ["a disk was grown", "`disk`, `path`, `from_bytes`, `to_bytes`"],
  "disk.io_error": ["a disk could not be read or written", "`run`, `paused`, `disk`, `reason`"],
  "disk.space_low": ["the host has little space left for a disk", "`run`, `disk`, `free_bytes`"],
  "agent.connected": [
    "the guest's agent opened its channel, and again each time after it closed it; that it answers is not said",
    "`run`",
  ],
  "console.opened": ["somebody opened its screen and keyboard in a browser", "`console`, `by`"],
  "console.closed": ["that ended", "`console`, `by`, `reason`, `seconds`"],
  "installation.started": ["an installer was started", "`from`, `to`"],
  "installation.suggested": ["there is evidence that an installation is complete", "`run`, `evidence`"],
  "installation.completed": ["the OS was recorded as installed", "`from`, `to`; `evidence` where it was given"],
  "installation.failed": ["the installation was recorded as failed", "`from`, `to`"],
  "installation.cancelled": ["the installation was called off", "`from`, `to`"],
  "installation.restarted": ["an installed VM is installed again", "`from`, `to`"],
  "operation.rolled_back": ["a change failed and was undone", "`what`, `code`, `kept`, `left`"],
  "operation.failed": ["a change failed, and something of it stays", "`what`, `code`, `kept`, `left`"],
  "operation.unknown": ["nobody can tell how a change ended", "`what`, `reason`"],
};
const eventsTable = () =>
  table(
    ["type", "when", "data"],
    eventTypes.map((type) => [code(type), ...events[type]]),
  );

/** Every plugin of this repository that brings a backend. */
async function shippedBackends(): Promise<Capabilities[]> {
  const folders = readdirSync(new URL("../plugins/", import.meta.url)).sort();
  const plugins = await Promise.all(
    folders.map(async (name) => (await import(`../plugins/${name}/index.ts`)).default as Plugin),
  );
  return plugins.filter(({ backend }) => backend).map(capabilitiesOf);
}

/** The text with every part between markers made anew. @throws Error when a marker is missing or nobody's */
export function withParts(text: string, parts: Readonly<Record<string, string>>, file = "README.md"): string {
  const found = [...text.matchAll(/^<!-- ([a-z-]+) -->$/gm)].map(([, name]) => name!);
  const wrong = [
    ...Object.keys(parts).filter((name) => !found.includes(name)),
    ...found.filter((name) => !(name in parts)),
  ];
  if (wrong.length) throw new Error(`${file} and scripts/docs.ts do not have the same parts: ${wrong.join(", ")}`);
  return Object.entries(parts).reduce((whole, [name, part]) => {
    const [from, to] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
    const [begin, end] = [whole.indexOf(from) + from.length, whole.indexOf(to)];
    if (end < begin) throw new Error(`${file} has no ${to} after ${from.trim()}`);
    return `${whole.slice(0, begin)}${part}\n${whole.slice(end)}`;
  }, text);
}

async function main(check: boolean): Promise<number> {
  const parts = {
    "README.md": {
      tools: toolsTable(allTools),
      settings: settingsTable(),
      findings: findingsTable(),
      errors: errorsTable(),
      changes: changesTable(await shippedBackends()),
    },
    "docs/plugins.md": { events: eventsTable() },
  };
  const pages: Record<string, (before: string) => string> = {
    "docs/api.md": () => apiPage(openApiOf(allTools, "0.0.0")),
  };
  for (const [file, made] of Object.entries(parts)) pages[file] = (before) => withParts(before, made, file);
  let code = 0;
  for (const [file, page] of Object.entries(pages)) {
    const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
    const before = readFileSync(path, "utf8");
    const after = page(before);
    if (after === before) continue;
    if (check) {
      console.error(`${file} is out of date. Run: node scripts/docs.ts`);
      code = 1;
      continue;
    }
    writeFileSync(path, after);
    console.log(`${file}: written`);
  }
  return code;
}

if (import.meta.main) process.exitCode = await main(process.argv.includes("--check"));
