/** The tools as callers see them. Each has its form on record in `__tools__`, since a model that was told one form is led
 * astray by another; UPDATE=1 writes them anew. */
// @module-tag process
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finding, findingCodes } from "../../src/domain/model/finding.ts";
import type { Capabilities } from "../../src/domain/ports/backend.ts";
import type { GroupName } from "../../src/domain/ports/backend-groups.ts";
import { groupNames } from "../../src/plugin-host/backend-calls.ts";
import { allTools, offeredTools } from "../../src/tools/catalogue.ts";
import { nextTool } from "../../src/tools/respond.ts";
import { annotationsOf, type Need, type Tool } from "../../src/tools/tool.ts";
import { type BootwrightClient, openClient } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";

type Schema = { properties?: Record<string, Schema>; [key: string]: unknown };
type Listed = { name: string; description?: string; inputSchema: Schema; outputSchema?: Schema; annotations?: object };

const records = fileURLToPath(new URL("./__tools__/", import.meta.url));
const source = fileURLToPath(new URL("../../src/", import.meta.url));
const names = allTools.map(({ name }) => name);
// A model reads what a tool takes; what it answers with is for programs.
const SHOWN_BYTES_MAX = 44_000;
const PAYLOAD_BYTES_MAX = 130_000;
const DESCRIPTION_MAX = 300;

let server: BootwrightClient;
let listed: Listed[];
const data = temporaryDirectory("file");
beforeAll(async () => {
  server = await openClient({ settings: memorySettings(data) });
  listed = (await server.client.listTools()).tools as Listed[];
});
afterAll(() => server.close());

describe("tools/list", () => {
  it("has every tool once, in the catalogue's order", () => {
    expect(listed.map(({ name }) => name)).toEqual(names);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(names)("gives %s the form that is on record", (name) => {
    const text = `${JSON.stringify(
      listed.find((tool) => tool.name === name),
      null,
      2,
    )}\n`;
    const path = join(records, `${name}.json`);
    if (process.env.UPDATE) {
      mkdirSync(records, { recursive: true });
      writeFileSync(path, text);
    }
    expect(text, "run with UPDATE=1 if this is meant").toBe(readFileSync(path, "utf8"));
  });

  it("has on record no tool that is gone", () => {
    expect(readdirSync(records).sort()).toEqual(names.map((name) => `${name}.json`).sort());
  });

  it("stays small, since hosts put it before a model with every conversation", () => {
    const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
    const [all, shown] = [sizeOf(listed), sizeOf(listed.map(({ outputSchema: _rest, ...tool }) => tool))];
    console.info(`tools/list: ${listed.length} tools, ${all} bytes, ${shown} of them without output schemas`);
    expect(shown).toBeLessThan(SHOWN_BYTES_MAX);
    expect(all).toBeLessThan(PAYLOAD_BYTES_MAX);
  });

  it("spends nothing on what JSON Schema says anyway", () => {
    const text = JSON.stringify(listed);
    for (const noise of ["$schema", "propertyNames", "9007199254740991", '"additionalProperties":{}'])
      expect(text, noise).not.toContain(noise);
  });

  it.each(names)(
    "shows %s with an object schema that has no alternatives at its top, and refuses unknown arguments",
    (name) => {
      const { inputSchema, outputSchema } = listed.find((tool) => tool.name === name)!;
      for (const schema of [inputSchema, outputSchema!]) {
        expect(schema.type).toBe("object");
        for (const word of ["oneOf", "anyOf", "allOf", "$ref", "$defs"]) expect(schema).not.toHaveProperty(word);
      }
      expect(inputSchema.additionalProperties).toBe(false);
    },
  );
});

const repeated = ["restart_vm", "backup_database", "create_guest_link", "redeliver_event"];

describe.each([...allTools])("$name", (tool) => {
  it("has a title, a short description, an effect and a place in REST", () => {
    expect(tool.name).toMatch(/^[a-z]+(_[a-z]+)+$/);
    expect(tool.title).toMatch(/^[A-Z].*[^.]$/);
    expect(tool.description).toMatch(/^[A-Z].*\.$/);
    expect(tool.description.length).toBeLessThan(DESCRIPTION_MAX);
    expect(["read", "change", "destroy"]).toContain(tool.effect);
    expect(tool.http.path).toMatch(/^\/[a-z{]/);
    expect(tool.http.method).toBe(tool.effect === "read" ? "GET" : tool.effect === "destroy" ? "DELETE" : "POST");
  });

  it("takes the arguments that stand in its path", () => {
    for (const [, field] of tool.http.path.matchAll(/\{(\w+)\}/g))
      expect(Object.keys(tool.input.shape)).toContain(field);
  });

  it("says the same with its annotations as with its effect", () => {
    expect(annotationsOf(tool)).toEqual({
      title: tool.title,
      readOnlyHint: tool.effect === "read",
      destructiveHint: tool.effect === "destroy",
      idempotentHint: tool.effect !== "destroy" && !repeated.includes(tool.name),
      openWorldHint: false,
    });
  });

  it("says what each argument is, unless its name says it", () => {
    const plain = [
      "connection",
      "limit",
      "check",
      "cpus",
      "operation",
      "disk_size_gb",
      "name",
      "boot_order",
      "size_gb",
    ];
    const { properties = {} } = listed.find(({ name }) => name === tool.name)!.inputSchema;
    const bare = Object.entries(properties).filter(([, { description }]) => description === undefined);
    expect(bare.map(([name]) => name).filter((name) => !plain.includes(name))).toEqual([]);
  });
});

it("every tool has a REST place of its own", () => {
  const places = allTools.map(({ http: { method, path } }) => `${method} ${path}`);
  expect(new Set(places).size).toBe(places.length);
});

it("`accept` takes exactly those findings that stand in the way of something", () => {
  const { properties } = listed.find(({ name }) => name === "start_vm")!.inputSchema;
  const accepted = (properties!.accept!.items as { enum: string[] }).enum;
  expect(accepted).toEqual(findingCodes.filter((code) => finding(code, "").blocks.length > 0));
});

describe("every tool's name", () => {
  it("that a refusal names as the next step exists", () => {
    for (const [code, tool] of Object.entries(nextTool)) if (tool) expect(names, code).toContain(tool);
  });

  it("that fixes and next steps have exists", () => {
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const texts = files.map((name) => readFileSync(join(source, name), "utf8")).join("\n");
    const mentioned = [...texts.matchAll(/\b(?:tool: |next: |call\()"([a-z]+_[a-z_]+)"/g)].map(([, name]) => name!);
    expect(mentioned.length).toBeGreaterThan(15);
    expect([...new Set(mentioned)].filter((name) => !names.includes(name))).toEqual([]);
  });

  it("that descriptions, instructions and hints have exists", () => {
    const verbs = [...new Set(names.map((name) => name.split("_")[0]))].join("|");
    const texts = [JSON.stringify(listed), server.client.getInstructions() ?? ""].join("\n");
    const mentioned = [...texts.matchAll(new RegExp(`\\b(?:${verbs})_[a-z_]+\\b`, "g"))].map(([name]) => name);
    const argumentNames = allTools.flatMap(({ input }) => Object.keys(input.shape));
    const wrong = mentioned.filter((name) => !names.includes(name) && !argumentNames.includes(name));
    expect([...new Set(wrong)]).toEqual([]);
  });
});

describe("what is offered", () => {
  it("under --read-only is every tool that only looks, and no other can be called", async () => {
    const reading = await openClient({ settings: [...memorySettings(data), "--read-only"] });
    try {
      const tools = (await reading.client.listTools()).tools;
      expect(tools.map(({ name }) => name)).toEqual(
        allTools.filter(({ effect }) => effect === "read").map((t) => t.name),
      );
      for (const { annotations } of tools) expect(annotations?.readOnlyHint).toBe(true);
      expect(await reading.refusal("create_vm", { name: "web" })).toMatchObject({ code: "TOOL_NOT_FOUND" });
    } finally {
      await reading.close();
    }
  });

  const needed = [...new Set(allTools.flatMap(({ needs }) => needs))];
  const isGroup = (need: Need): need is GroupName => groupNames.some((group) => group === need);
  /** Connections whose backends have this, and nothing else. */
  const connections = (...each: Need[][]) => ({
    names: each.map((_, index) => `c${index}`),
    capabilities(name: string): Capabilities {
      const has = each[Number(name.slice(1))]!;
      const changes = has.filter((need) => !isGroup(need)).map((kind) => [kind, { running: "now" as const }]);
      return { backend: "test", groups: has.filter(isGroup), changes: Object.fromEntries(changes) };
    },
    backend: () => Promise.reject(new Error("listing tools opens nothing")),
  });
  const offered = (...each: Need[][]): readonly Tool[] => offeredTools(connections(...each), { readOnly: false });

  it.each(needed)("without %s leaves out the tools that need it, and no others", (missing) => {
    const without = offered(needed.filter((need) => need !== missing));
    expect(without).toEqual(allTools.filter(({ needs }) => !needs.includes(missing)));
  });

  it("is a tool as soon as one connection has all that it needs, not two together", () => {
    const nameOf = ({ name }: Tool) => name;
    expect(offered(["guest"], []).map(nameOf)).toContain("get_guest_info");
    expect(offered(["power.start", "power.stop"], []).map(nameOf)).toContain("restart_vm");
    expect(offered(["power.start"], ["power.stop"]).map(nameOf)).not.toContain("restart_vm");
  });
});
