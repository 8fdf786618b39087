import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ConfigError,
  defaultConnection,
  readConfig,
  settings,
  settingsHelp,
  variableOf,
} from "../../src/config/config.ts";
import { httpTable, type Row } from "../http-settings-table.ts";
import { temporaryDirectory } from "../support/memory.ts";

type Name = keyof typeof settings;
/** An environment in which the usual files lie in a directory of the test. */
const environment = (home = temporaryDirectory()) => ({
  XDG_CONFIG_HOME: home,
  XDG_STATE_HOME: home,
  XDG_CACHE_HOME: home,
});
const read = (argv: readonly string[], env: Record<string, string> = environment()) => readConfig(argv, env).config;

function settingsFile(values: unknown, path = join(temporaryDirectory(), "settings.json")): string {
  writeFileSync(path, typeof values === "string" ? values : JSON.stringify(values));
  return path;
}
function refusalOf(argv: readonly string[], env: Record<string, string> = environment()): string {
  try {
    readConfig(argv, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("it was accepted");
}

const memory = (name: string) => ({ name, plugin: "memory", config: {} });
/** For each setting: a value as flag, variable and key of the file, what is read from each, and what is the default. */
const table: Record<Name, Row> = {
  data: { of: ({ data }) => data, flag: ["--data", "/f"], text: "/e", file: "/c", read: ["/f", "/e", "/c"] },
  images: {
    of: ({ images }) => images,
    flag: ["--images", "/f"],
    text: "/e",
    file: "/c",
    read: ["/f", "/e", "/c", undefined],
  },
  "iso-dir": {
    of: ({ isoDirectories }) => isoDirectories,
    flag: ["--iso-dir", "/f", "--iso-dir", "/f2"],
    text: "/e:/e2",
    file: ["/c", "/c2"],
    read: [["/f", "/f2"], ["/e", "/e2"], ["/c", "/c2"], undefined],
  },
  connection: {
    of: ({ connections }) => connections,
    flag: ["--connection", "f=memory", "--connection", "g=memory"],
    text: "e=memory;d=memory",
    file: [{ name: "c", plugin: "memory" }],
    read: [
      [memory("f"), memory("g")],
      [memory("e"), memory("d")],
      [memory("c")],
      [{ name: "local", plugin: "libvirt", config: { uri: "qemu:///system" } }],
    ],
  },
  plugin: {
    of: ({ plugins }) => plugins,
    flag: ["--plugin", "webhook,url=https://x/?a=b", "--plugin", "log=./a=b.ts"],
    text: "webhook;https://example.org/a.ts",
    file: ["webhook", { name: "b", plugin: "./b.ts", config: { urls: ["https://x"] } }],
    read: [
      [
        { plugin: "webhook", config: { url: "https://x/?a=b" } },
        { name: "log", plugin: "./a=b.ts", config: {} },
      ],
      [
        { plugin: "webhook", config: {} },
        { plugin: "https://example.org/a.ts", config: {} },
      ],
      [
        { plugin: "webhook", config: {} },
        { name: "b", plugin: "./b.ts", config: { urls: ["https://x"] } },
      ],
      [],
    ],
  },
  "read-only": {
    of: (c) => c.readOnly,
    flag: ["--read-only"],
    text: "false",
    file: true,
    read: [true, false, true, false],
  },
  confirm: {
    of: ({ confirm }) => confirm,
    flag: ["--confirm", "human"],
    text: "token",
    file: "human",
    read: ["human", "token", "human", "token"],
  },
  "claim-wait": {
    of: ({ claimWaitMs }) => claimWaitMs,
    flag: ["--claim-wait", "0.5"],
    text: "2",
    file: 3,
    read: [500, 2_000, 3_000, 10_000],
  },
  ...httpTable,
};
const names = Object.keys(settings) as Name[];

describe.each(names)("the setting %s", (name) => {
  const { of, also = [], flag, text, file, read: expected } = table[name];

  it("is read from its flag, else its variable, else the settings file, else it has its default", () => {
    const env = environment();
    const home = env.XDG_STATE_HOME;
    const fromFile = { ...env, BOOTWRIGHT_CONFIG: settingsFile({ [name]: file }) };
    const fromVariable = { ...fromFile, [variableOf(name)]: text };
    expect(of(read([...also, ...flag], fromVariable))).toEqual(expected[0]);
    expect(of(read(also, fromVariable))).toEqual(expected[1]);
    expect(of(read(also, fromFile))).toEqual(expected[2]);
    expect(of(read([], env))).toEqual(name === "data" ? join(home, "bootwright") : expected[3]);
  });

  it("says what it is for and what it is by default", () => {
    const { help, shown } = settings[name];
    expect(help).toMatch(/^[A-Z].{10,}/);
    expect(shown).not.toBe("");
    const line = settingsHelp()
      .split("\n")
      .find((row) => row.includes(`--${name} `));
    expect(line).toContain(help);
    expect(line).toContain(shown);
  });

  it("treats an empty variable as none", () => {
    const env = environment();
    expect(of(read([], { ...env, [variableOf(name)]: "" }))).toEqual(of(read([], env)));
  });
});

describe("defaultConnection()", () => {
  const env = { PATH: "/usr/bin:/opt/bin" };
  const among =
    (...there: string[]) =>
    (path: string) =>
      there.includes(path);
  const [libvirt, qemu] = ["local=libvirt,uri=qemu:///system", "local=qemu"];
  it.each<[string, string, string[]]>([
    ["libvirt where its socket is", libvirt, ["/run/libvirt/libvirt-sock", "/usr/bin/qemu-system-x86_64"]],
    ["libvirt where QEMU's own daemon is", libvirt, ["/run/libvirt/virtqemud-sock", "/usr/bin/qemu-system-x86_64"]],
    ["libvirt where it is installed and down", libvirt, ["/usr/sbin/libvirtd", "/usr/bin/qemu-system-x86_64"]],
    ["libvirt where there is nothing", libvirt, []],
    ["qemu where there is QEMU alone", qemu, ["/opt/bin/qemu-system-x86_64"]],
    ["libvirt where QEMU is not on the PATH", libvirt, ["/elsewhere/qemu-system-x86_64"]],
  ])("is %s", (_where, expected, there) => {
    expect(defaultConnection(env, among(...there))).toBe(expected);
  });
  it("is libvirt where nothing may be looked at", () => {
    const forbidden = () => {
      throw new Error("Requires read access");
    };
    expect(defaultConnection(env, forbidden)).toBe(libvirt);
    expect(defaultConnection({}, among())).toBe(libvirt);
  });
});

describe("a bad value", () => {
  const bad: [string, string[], Record<string, string>, unknown, RegExp][] = [
    ["a flag", ["--claim-wait", "soon"], {}, {}, /--claim-wait: expected seconds, from 0 to 600/],
    ["a flag", ["--claim-wait", ""], {}, {}, /--claim-wait: expected seconds/],
    ["a flag", ["--claim-wait", "601"], {}, {}, /--claim-wait: expected seconds/],
    ["a flag", ["--claim-wait=-1"], {}, {}, /--claim-wait: expected seconds/],
    ["a flag", ["--confirm", "maybe"], {}, {}, /--confirm: expected token or human/],
    ["a flag", ["--listen", "65536"], {}, {}, /--listen: "65536" is no \[ADDRESS:\]PORT/],
    ["a flag", ["--listen", "http://localhost:80"], {}, {}, /is no \[ADDRESS:\]PORT/],
    ["a flag", ["--allow-host", "https://a"], {}, {}, /--allow-host: expected NAME or NAME:PORT/],
    ["a flag", ["--tls-cert", "/c"], {}, {}, /--tls-cert alone: a certificate needs its key/],
    ["a flag", ["--tls-key", "/c"], {}, {}, /--tls-key alone/],
    ["a flag", ["--data", ""], {}, {}, /--data: expected a directory/],
    ["a flag", ["--connection", "memory"], {}, {}, /--connection: "memory" is no NAME=PLUGIN/],
    ["a flag", ["--connection", "a b=memory"], {}, {}, /"a b=memory" is no NAME=PLUGIN/],
    ["a flag", ["--connection", "a="], {}, {}, /"a=" is no NAME=PLUGIN/],
    ["a flag", ["--connection", "a=memory,x"], {}, {}, /"x" is not KEY=VALUE/],
    ["a flag", ["--connection", "a=memory,x=1,x=2"], {}, {}, /x is given twice/],
    [
      "a flag",
      ["--connection", "a=memory", "--connection", "a=libvirt"],
      {},
      {},
      /--connection: the name "a" is given twice/,
    ],
    ["a variable", [], { BOOTWRIGHT_READ_ONLY: "perhaps" }, {}, /BOOTWRIGHT_READ_ONLY: expected true or false/],
    ["a variable", [], { BOOTWRIGHT_CLAIM_WAIT: "x" }, {}, /BOOTWRIGHT_CLAIM_WAIT: expected seconds/],
    [
      "a variable",
      [],
      { BOOTWRIGHT_CONNECTION: "a=memory;a=memory" },
      {},
      /BOOTWRIGHT_CONNECTION: the name "a" is given twice/,
    ],
    ["a variable", [], { BOOTWRIGHT_CONNECTION: ";" }, {}, /BOOTWRIGHT_CONNECTION: expected at least one connection/],
    ["a key", [], {}, { confirm: 1 }, /"confirm" in .*settings.json: expected token or human/],
    ["a key", [], {}, { "claim-wait": true }, /"claim-wait" in .*: expected seconds/],
    ["a key", [], {}, { "claim-wait": null }, /"claim-wait" in .*: expected seconds/],
    ["a key", [], {}, { "iso-dir": "/isos" }, /"iso-dir" in .*: expected a list of directories/],
    ["a key", [], {}, { "read-only": "true" }, /"read-only" in .*: expected true or false/],
    ["a key", [], {}, { data: 7 }, /"data" in .*: expected a directory/],
    ["a flag", ["--plugin", "=./a.ts"], {}, {}, /--plugin: "=.\/a.ts" is no PLUGIN\[,KEY=VALUE…\] or NAME=PLUGIN/],
    ["a flag", ["--plugin", "a,b"], {}, {}, /--plugin: in "a,b", "b" is not KEY=VALUE/],
    ["a variable", [], { BOOTWRIGHT_PLUGIN: "a;b=" }, {}, /BOOTWRIGHT_PLUGIN: "b=" is no PLUGIN/],
    ["a key", [], {}, { plugin: "a" }, /"plugin" in .*: expected a list of plugins/],
    ["a key", [], {}, { plugin: [{ config: {} }] }, /"plugin" in .*: in "\{.*", plugin: expected a plugin/],
    ["a key", [], {}, { plugin: [{ plugin: "a", conf: {} }] }, /Unrecognized key: "conf"/],
    ["a key", [], {}, { plugin: [7] }, /"plugin" in .*: in "7", Invalid input/],
    ["a key", [], {}, { connection: [{ plugin: "memory" }] }, /"connection" in .* is no NAME=PLUGIN/],
    ["a key", [], {}, { connection: [] }, /"connection" in .*: expected at least one connection/],
  ];
  it.each(bad)(
    "of %s is refused by its name with what would be accepted: %j %j %j",
    (_what, argv, env, file, message) => {
      expect(refusalOf(argv, { ...environment(), BOOTWRIGHT_CONFIG: settingsFile(file), ...env })).toMatch(message);
    },
  );

  it("that a setting with more weight replaces is not looked at", () => {
    expect(read(["--confirm", "human"], { ...environment(), BOOTWRIGHT_CONFIRM: "maybe" }).confirm).toBe("human");
  });
});

describe("what is unknown", () => {
  it("among flags is refused with the settings that there are", () => {
    expect(refusalOf(["--imagse", "/x"])).toMatch(/'--imagse'.*Settings: --data, --images/);
  });

  it.each(["imagse", "toString"])("among the file's keys is refused: %s", (key) => {
    expect(refusalOf(["--config", settingsFile({ [key]: 1 })])).toContain(`unknown keys ${key}; known: data, images`);
  });
});

describe("the settings file", () => {
  it("may be missing where nobody named it", () => {
    expect(read([]).confirm).toBe("token");
  });

  it("is found in its usual place", () => {
    const env = environment();
    mkdirSync(join(env.XDG_CONFIG_HOME, "bootwright"));
    settingsFile({ confirm: "human" }, join(env.XDG_CONFIG_HOME, "bootwright", "config.json"));
    expect(read([], env).confirm).toBe("human");
  });

  it("is named by --config before BOOTWRIGHT_CONFIG", () => {
    const env = { ...environment(), BOOTWRIGHT_CONFIG: "/nowhere.json" };
    expect(read(["--config", settingsFile({ confirm: "human" })], env).confirm).toBe("human");
  });

  it("is refused when it was named and is missing, is a directory, is no JSON, or is no object", () => {
    const home = temporaryDirectory();
    expect(refusalOf(["--config", "/nowhere.json"])).toMatch(/settings file \/nowhere.json: ENOENT/);
    expect(refusalOf(["--config", home])).toMatch(/EISDIR/);
    expect(refusalOf(["--config", settingsFile("{")])).toMatch(/Cannot read settings file .*JSON/);
    for (const wrong of ["[]", "1", "null", '"x"'])
      expect(refusalOf(["--config", settingsFile(wrong)])).toMatch(/it is not a JSON object/);
  });

  it("is refused in its usual place, too, when it is there and cannot be read", () => {
    const env = environment();
    mkdirSync(join(env.XDG_CONFIG_HOME, "bootwright", "config.json"), { recursive: true });
    expect(refusalOf([], env)).toMatch(/config.json: EISDIR/);
  });
});

describe("readConfig()", () => {
  it("hands on the command and its arguments in their order, --json last", () => {
    const { rest } = readConfig(["--data", "/d", "call", "get_vm", "--json", "{}", "vm=web"], environment());
    expect(rest).toEqual(["call", "get_vm", "vm=web", "--json", "{}"]);
  });

  it("keeps everything after the first = of a connection's value", () => {
    const [connection] = read(["--connection", "lab=libvirt,uri=qemu:///system?socket=/run/x"]).connections;
    expect(connection).toEqual({ name: "lab", plugin: "libvirt", config: { uri: "qemu:///system?socket=/run/x" } });
  });

  it("makes paths absolute", () => {
    expect(read(["--data", "here"]).data).toBe(join(process.cwd(), "here"));
  });

  it("cannot be changed afterwards", () => {
    expect(Object.isFrozen(read([]))).toBe(true);
  });
});
