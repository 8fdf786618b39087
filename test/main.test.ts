// @module-tag process
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settings } from "../src/config/config.ts";
import { run } from "./serve/process.ts";
import { memorySettings, temporaryDirectory } from "./support/memory.ts";

const packageFile = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

describe("the program", () => {
  it("prints its usage and every setting with --help", async () => {
    for (const flag of ["--help", "-h"]) {
      const { code, stdout, stderr } = await run([flag]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^Usage:\n {2}bootwright/);
      for (const name of Object.keys(settings)) expect(stdout).toContain(`--${name}`);
    }
  });

  it("prints its version with --version", async () => {
    expect(await run(["--version"])).toEqual({ code: 0, stdout: packageFile.version, stderr: "" });
  });

  const wrong: [string, string[], RegExp][] = [
    ["an unknown command", ["wrong"], /^bootwright: unknown command "wrong"\n\nUsage:/],
    ["an unknown flag", ["--wrong"], /^bootwright: Unknown option '--wrong'.*Settings: --data/],
    ["a bad value", ["--confirm", "maybe"], /^bootwright: Cannot use --confirm: expected token or human$/],
    [
      "an unknown plugin",
      ["--connection", "a=no-such-plugin", "tools"],
      /^bootwright: PLUGIN_NOT_FOUND: .*\. Name a plugin that ships/,
    ],
    [
      "a bad setting of a connection",
      ["--connection", "a=libvirt,colour=red"],
      /^bootwright: PLUGIN_CONFIG_INVALID: .*"colour"/,
    ],
    [
      "a bad number of a connection",
      ["--connection", "a=memory,cpus=many", "tools"],
      /PLUGIN_CONFIG_INVALID: .*cpus: /,
    ],
  ];
  it.each(wrong)("ends with 2 and says why on stderr for %s", async (_what, args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });

  it("makes no data directory to list its tools, and one that only its user can read to make a call", async () => {
    const data = join(temporaryDirectory(), "deep", "data");
    expect((await run([...memorySettings(data), "tools"])).code).toBe(0);
    expect(existsSync(data)).toBe(false);
    expect((await run([...memorySettings(data), "call", "create_vm", "name=web"])).code).toBe(0);
    expect(existsSync(join(data, "fingerprint.key"))).toBe(true);
  });

  it("refuses a call when its data directory is none, and says which", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    const { code, stderr } = await run([...memorySettings(file), "call", "list_vms"]);
    expect(stderr).toMatch(/^STORE_UNAVAILABLE: Cannot open database ".*file/);
    expect(code).toBe(1);
  });
});
