// Writes what the pages have from the program: whole pages, drawings, and in other pages what stands between the markers
// `<!-- NAME -->` and `<!-- /NAME -->`.
//
//   node scripts/docs.ts [--check]      --check writes nothing and fails when a page is out of date

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openApiOf } from "../src/serve/http/openapi.ts";
import { allTools } from "../src/tools/catalogue.ts";
import { architectureDrawing } from "./docs/architecture.ts";
import { changesTable, groupsTable } from "./docs/backends.ts";
import { denoCommand } from "./docs/deno.ts";
import { eventsTable } from "./docs/events.ts";
import { findingsTable } from "./docs/findings.ts";
import { withParts } from "./docs/markdown.ts";
import { httpRefusalsTable, refusalsTable } from "./docs/refusals.ts";
import { apiPage } from "./docs/rest-api.ts";
import { type Exchange, showSession } from "./docs/session.ts";
import { settingsTable } from "./docs/settings.ts";
import { shortToolsTable, toolSections, toolsTable } from "./docs/tools.ts";
import { picture, transcript } from "./docs/transcript.ts";
import { troubles } from "./docs/troubles.ts";

const PICTURE_LABEL =
  "A start that would find nothing to boot is refused, the fix is named, and after it the VM starts";

async function main(check: boolean): Promise<number> {
  const { firstVm, refusal, refused } = await showSession();
  const whole = {
    "docs/reference/rest-api.md": apiPage(openApiOf(allTools, "0.0.0")),
    "docs/drawings/refusal.svg": picture(refusal.map(inShort), PICTURE_LABEL),
  };
  const parts = {
    "README.md": {
      "first-vm": transcript(firstVm, 2),
      refused: transcript(refused, 2),
      tools: shortToolsTable(allTools),
    },
    "docs/architecture.md": { drawing: architectureDrawing() },
    "docs/backends.md": { changes: await changesTable(), groups: await groupsTable() },
    "docs/deploy.md": { "deno-libvirt": denoCommand("libvirt"), "deno-qemu": denoCommand("qemu") },
    "docs/guides/troubleshooting.md": troubles,
    "docs/reference/events.md": { events: eventsTable() },
    "docs/reference/findings.md": { findings: findingsTable() },
    "docs/reference/refusals.md": { refusals: refusalsTable(), http: httpRefusalsTable() },
    "docs/reference/settings.md": { settings: settingsTable() },
    "docs/reference/tools.md": { tools: toolsTable(allTools), sections: toolSections(allTools) },
  };
  const written = [
    ...Object.entries(whole).map(([file, text]) => write(file, () => text, check)),
    ...Object.entries(parts).map(([file, made]) => write(file, (before) => withParts(before, made, file), check)),
  ];
  return written.includes("out of date") ? 1 : 0;
}

/** What went well needs fewer words than what was refused. */
const inShort = (exchange: Exchange): Exchange =>
  exchange.refused || exchange.tool === "check_boot" ? exchange : { ...exchange, lines: exchange.lines.slice(0, 2) };

function write(file: string, make: (before: string) => string, check: boolean): "as it is" | "written" | "out of date" {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const after = make(before);
  if (after === before) return "as it is";
  if (check) {
    console.error(`${file} is out of date. Run: node scripts/docs.ts`);
    return "out of date";
  }
  writeFileSync(path, after);
  console.log(`${file}: written`);
  return "written";
}

if (import.meta.main) process.exitCode = await main(process.argv.includes("--check"));
