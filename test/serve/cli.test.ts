// @module-tag process
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { readArguments } from "../../src/serve/cli.ts";
import { toolNamed } from "../../src/tools/call.ts";
import { allTools } from "../../src/tools/catalogue.ts";
import { serverPath } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { foreign, seedOf } from "../tools/harness.ts";
import { run } from "./process.ts";

const brokenPlugin = fileURLToPath(new URL("./broken-plugin.ts", import.meta.url));
const seededPlugin = fileURLToPath(new URL("../support/seeded-plugin.ts", import.meta.url));
const memoryPlugin = pathToFileURL(fileURLToPath(new URL("../../plugins/memory/index.ts", import.meta.url))).href;
/** Runs the program on VMs in memory. */
const call = (...args: string[]) => run([...memorySettings(temporaryDirectory()), ...args]);

describe("call", () => {
  it("prints the result as JSON on stdout and its progress on stderr, and ends with 0", async () => {
    const { code, stdout, stderr } = await call("call", "create_vm", "name=123", "cpus=1", "tpm=true");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ changed: true, vm: { name: "123", cpus: 1 } });
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(/^… create a 20 GiB/),
      expect.stringMatching(/^… define VM 123/),
    ]);
  });

  it("prints a refusal as coded text on stderr and as JSON on stdout, and ends with 1", async () => {
    const { code, stdout, stderr } = await call("call", "get_vm", "vm=web");
    expect(code).toBe(1);
    expect(stderr).toBe('VM_NOT_FOUND: Cannot find VM "web"\nKnown VMs, nearest first: none\nNext: call list_vms');
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "VM_NOT_FOUND", next: "list_vms", details: { vm: "web" } },
    });
  });

  it("ends with 1 when an argument is wrong, and names each", async () => {
    const { code, stdout } = await call("call", "create_vm", "name=a b", "cpus=none", "colour=red");
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout);
    expect(error.code).toBe("INPUT_INVALID");
    for (const name of ["name: letters", "cpus: ", '"colour"']) expect(error.message).toContain(name);
  });

  const wrong: [string, string[], RegExp][] = [
    ["there is no tool", ["call"], /^Usage:/],
    [
      "the tool is unknown",
      ["call", "get_mv"],
      /^TOOL_NOT_FOUND: Cannot find tool "get_mv"\nKnown tools, nearest first: get_vm/,
    ],
    ["an argument has no =", ["call", "get_vm", "web"], /^Cannot read "web": expected key=value/],
    ["an argument comes twice", ["call", "get_vm", "vm=a", "vm=b"], /vm is given twice/],
    ["--json is no JSON", ["call", "get_vm", "--json", "{"], /Cannot read --json: expected a JSON object/],
    ["--json is no object", ["call", "get_vm", "--json", "[1]"], /Cannot read --json: expected a JSON object/],
  ];
  it.each(wrong)("ends with 2 when %s", async (_what, args, message) => {
    const { code, stdout, stderr } = await call(...args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  it("ends with 3 and an id after a defect, whose stack goes to stderr alone", async () => {
    const { code, stdout, stderr } = await run([
      ...["--data", temporaryDirectory(), "--connection", `local=${brokenPlugin}`],
      ...["call", "get_vm", "vm=odd"],
    ]);
    expect(code).toBe(3);
    expect(stdout).toBe("");
    const id = /defect ([0-9a-f-]{36}): .*\n\s+at /s.exec(stderr)?.[1];
    expect(stderr).toContain(
      `DEFECT: This is a fault in Bootwright itself, not in the request; its log has it under ${id}`,
    );
  });

  it("gives a token for what would be lost, and none under --confirm human", async () => {
    const directory = temporaryDirectory();
    const seed = join(directory, "seed.json");
    writeFileSync(seed, JSON.stringify(seedOf(foreign(1, "web", { running: true }))));
    const settings = ["--data", join(directory, "data"), "--connection", `local=${seededPlugin},seed=${seed}`];
    expect((await run([...settings, "call", "adopt_vm", "vm=web"])).code).toBe(0);
    const cut = ["call", "stop_vm", "vm=web", "force=true"];
    const asked = await run([...settings, ...cut]);
    expect(asked.stderr).toMatch(/^CONFIRMATION_REQUIRED: .*\nAsk the user\. .* confirm: "[0-9a-f-]{36}"/);
    const human = await run([...settings, "--confirm", "human", ...cut]);
    expect(human.stderr).toMatch(/^CONFIRMATION_BY_PERSON: /);
    expect(JSON.parse(human.stdout).error.details).toEqual({ vm: "web", losses: [expect.any(String)] });
    expect(asked.code).toBe(1);
    expect(human.code).toBe(1);
  });

  it("loads a plugin by its path, whatever characters are in it", async () => {
    const directory = join(temporaryDirectory(), "a b#c?d%20");
    mkdirSync(directory);
    const plugin = join(directory, "plugin.mjs");
    writeFileSync(plugin, `export { default } from ${JSON.stringify(memoryPlugin)};`);
    const settings = ["--data", temporaryDirectory(), "--connection", `local=${plugin}`];
    const { code, stdout } = await run([...settings, "call", "list_vms"]);
    expect(JSON.parse(stdout)).toMatchObject({ vms: [], unreachable: [] });
    expect(code).toBe(0);
  });

  it("is cancelled by SIGINT, and what it was doing is settled", async () => {
    const settings = memorySettings(temporaryDirectory());
    const child = execa(process.execPath, [serverPath, ...settings, "call", "list_vms"], { reject: false });
    child.kill("SIGINT");
    // Whether the signal comes before or after the handler is there, nothing may hang.
    expect((await child).timedOut).toBe(false);
  });
});

describe("tools", () => {
  it("lists every tool with its description", async () => {
    const { code, stdout } = await call("tools");
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines).toHaveLength(allTools.length);
    for (const [index, { name, description }] of allTools.entries()) {
      expect(lines[index]).toMatch(new RegExp(`^${name} `));
      expect(lines[index]).toContain(description);
    }
  });

  it("ends quietly when nobody reads its output to the end", async () => {
    const { stderr } = await execa("sh", [
      "-c",
      '"$@" | true',
      "sh",
      process.execPath,
      serverPath,
      ...memorySettings(temporaryDirectory()),
      "tools",
    ]);
    expect(stderr).toBe("");
  });
});

describe("readArguments()", () => {
  const cases: [tool: string, args: string[], expected: Record<string, unknown>][] = [
    ["create_vm", ["name=123"], { name: "123" }],
    ["create_vm", ["name=true"], { name: "true" }],
    ["create_vm", ["name=null"], { name: "null" }],
    ["create_vm", ["name=-5"], { name: "-5" }],
    ["create_vm", ["name="], { name: "" }],
    ["create_vm", ["iso_path=a=b.iso"], { iso_path: "a=b.iso" }],
    ["create_vm", ["cpus=4", "disk_size_gb=20.5"], { cpus: 4, disk_size_gb: 20.5 }],
    ["create_vm", ["cpus=0"], { cpus: 0 }],
    ["create_vm", ["cpus=four"], { cpus: "four" }],
    ["create_vm", ["tpm=false"], { tpm: false }],
    ["create_vm", ["network=network:lan"], { network: "network:lan" }],
    ["create_vm", ["firmware=1"], { firmware: "1" }],
    ["start_vm", ["accept=DISK_BLANK"], { accept: ["DISK_BLANK"] }],
    ["start_vm", ["accept=DISK_BLANK,NO_MEDIA"], { accept: ["DISK_BLANK", "NO_MEDIA"] }],
    ["start_vm", ['accept=["DISK_BLANK"]'], { accept: ["DISK_BLANK"] }],
    ["start_vm", ["accept=WRONG"], { accept: ["WRONG"] }],
    ["start_vm", ["nonsense=1"], { nonsense: "1" }],
    ["start_vm", ["toString=1"], { toString: "1" }],
    ["get_vm", ["--json", '{"vm":"web"}'], { vm: "web" }],
    ["stop_vm", ["vm=web", "--json", '{"vm":"mail","force":true}'], { vm: "web", force: true }],
  ];
  it.each(cases)("reads for %s %j as %j", (tool, args, expected) => {
    expect(readArguments(toolNamed(allTools, tool), args)).toEqual(expected);
  });
});
