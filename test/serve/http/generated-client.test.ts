/** Every place of the plan, by a client that a generator makes of the document that the running server answers with. */
// @module-tag process
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { generateApi } from "swagger-typescript-api";
import { describe, expect, it } from "vitest";
import { openApiOf } from "../../../src/serve/http/openapi.ts";
import type { OpenApi } from "../../../src/serve/http/openapi-document.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import { openHttp } from "../../support/http.ts";
import { temporaryDirectory } from "../../support/memory.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const JOURNEY = here("generated-client/journey-client.ts");
const compiler = here("../../../node_modules/typescript/bin/tsc");

/** The generated client, and the journey beside it; returns the path of the journey. */
async function generate(document: OpenApi): Promise<string> {
  const directory = temporaryDirectory();
  const input = join(directory, "openapi.json");
  writeFileSync(input, JSON.stringify(document));
  await generateApi({
    input,
    output: directory,
    fileName: "api.ts",
    enumStyle: "const",
    disableThrowOnError: true,
    silent: true,
  });
  const journeyPath = join(directory, "journey-client.ts");
  copyFileSync(JOURNEY, journeyPath);
  return journeyPath;
}

/** What the compiler has to say about the journey and the client. */
async function complaintsAbout(journeyPath: string): Promise<string> {
  const flags = ["--ignoreConfig", "--noEmit", "--strict", "--noUncheckedIndexedAccess", "--erasableSyntaxOnly"];
  const dialect = ["--target", "esnext", "--module", "nodenext", "--allowImportingTsExtensions", "--types", ""];
  const { stdout } = await execa(process.execPath, [compiler, ...flags, ...dialect, journeyPath], { reject: false });
  return stdout;
}

describe("a client generated from the OpenAPI document", () => {
  it("goes the whole way of the plan, and its types are as the answers are", async () => {
    const { ask, url, token } = await openHttp({ guest: ["installsAfterMs=0", "installerHonoursShutdown=true"] });
    const journeyPath = await generate((await ask("GET", "/api/openapi.json")).body);
    expect(await complaintsAbout(journeyPath)).toBe("");
    const { clientOf, journey: walk } = await import(journeyPath);
    const seen = await walk(clientOf(url, token));
    const { uuid } = seen.made;
    const facts = {
      uuid,
      installation_status: "NotInstalled",
      boot_order: "cdrom_hd",
      current_boot_device: undefined,
      disk_path: `/memory/images/${uuid}.qcow2`,
      disk_size: 20,
      current_media: "/memory/isos/installer.iso",
    };
    expect(seen).toEqual({
      made: facts,
      started: "running",
      listed: [{ ...facts, installation_status: "Installing", current_boot_device: "cdrom" }],
      looked: { name: "web", power: "running", current_boot_device: "cdrom" },
      installation: { completed: "Installed", status: "Installed" },
      order: { set: "next_start", order: "hd" },
      restarted: { power: "running", booted: "hd" },
      media: {
        detached: undefined,
        attached: "/memory/isos/live.iso",
        older: "/memory/isos/drivers.iso",
        olderDetached: undefined,
        library: ["/memory/isos/live.iso"],
      },
      unsure: { status: 428, code: "CONFIRMATION_REQUIRED" },
      stopped: "off",
      disk: { grown: 50, disk: facts.disk_path, size: 50 },
      shrunk: { status: 422, code: "SHRINK_REFUSED", next: "get_disk_info", details: expect.any(Object) },
    });
  });

  it.for([
    ["a field of an answer", '"disk_size"', '"disk_bytes"', "disk_size"],
    ["an argument", '"size_gb"', '"size_gib"', "size_gb"],
    ["a place's name", '"resize_disk"', '"grow_disk"', "resizeDisk"],
    ["a choice", '"restart"', '"reboot"', "restart"],
  ])("%s that the document calls differently is an error of types", async ([, from, to, named]) => {
    const wrong = JSON.parse(JSON.stringify(openApiOf(allTools, "1.2.3")).replaceAll(from!, to!));
    expect(await complaintsAbout(await generate(wrong))).toMatch(new RegExp(`error TS\\d+: .*${named}`));
  });
});
