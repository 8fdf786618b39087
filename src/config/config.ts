/** One schema for every setting. A value comes from a flag, else the environment, else a JSON file, else its default. The
 * refusal of a bad value names its source. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import type { ConnectionSetting } from "../plugin-host/backends.ts";
import type { PluginSetting } from "../plugin-host/plugin-functions.ts";
import { ConnectionText, PluginText } from "../plugin-host/plugin-setting.ts";
import { type HttpConfig, httpConfig, httpSettings, type Listen } from "./http.ts";

type Environment = Readonly<Record<string, string | undefined>>;
const stateHome = (env: Environment) => env.XDG_STATE_HOME || join(homedir(), ".local", "state");
const configHome = (env: Environment) => env.XDG_CONFIG_HOME || join(homedir(), ".config");
const cacheHome = (env: Environment) => env.XDG_CACHE_HOME || join(homedir(), ".cache");
const directory = z
  .string({ error: "expected a directory" })
  .min(1, "expected a directory")
  .transform((path) => resolve(path));
const libvirtSockets = ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];
const libvirtDaemons = ["libvirtd", "virtqemud"];

/** libvirt if it is installed, running or not: while its daemon is down, the connection of the recorded VMs must not change
 * to another backend. Otherwise QEMU alone, if its program is there. Paths that may not be read count as missing. */
export function defaultConnection(env: Environment, exists: (path: string) => boolean = existsSync): string {
  const permitted = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch {
      return otherwise;
    }
  };
  const isThere = (path: string) => permitted(() => exists(path), false);
  const searchPath = permitted(() => env.PATH ?? "", "")
    .split(delimiter)
    .filter(Boolean);
  const isIn = (directories: readonly string[], name: string) => directories.some((at) => isThere(join(at, name)));
  // A user's PATH often lacks the daemons' directory.
  const sbin = [...searchPath, "/usr/local/sbin", "/usr/sbin", "/sbin"];
  const libvirt = libvirtSockets.some(isThere) || libvirtDaemons.some((name) => isIn(sbin, name));
  return libvirt || !isIn(searchPath, "qemu-system-x86_64") ? "local=libvirt,uri=qemu:///system" : "local=qemu";
}
const CLAIM_WAIT_MAX = 600;
const seconds = `expected seconds, from 0 to ${CLAIM_WAIT_MAX}`;

/** Every setting: its flag is `--name`, its variable `BOOTWRIGHT_NAME`, its key in the file `name`. */
export const settings = {
  data: {
    schema: directory,
    fallback: (env: Environment) => join(stateHome(env), "bootwright"),
    shown: "$XDG_STATE_HOME/bootwright",
    help: "Directory of the database",
  },
  images: {
    schema: directory,
    fallback: () => undefined,
    shown: "/var/lib/libvirt/images; for a qemu connection images in --data",
    help: "Directory of new disks",
  },
  "iso-dir": {
    schema: z.array(directory, { error: "expected a list of directories" }),
    fallback: () => undefined,
    shown: "the image directory",
    help: "Directory of ISOs that may be attached (repeatable)",
  },
  connection: {
    schema: z
      .array(ConnectionText, { error: "expected a list of connections" })
      .min(1, "expected at least one connection"),
    fallback: (env: Environment) => [defaultConnection(env)],
    shown: "local=libvirt,uri=qemu:///system; local=qemu if QEMU is installed and libvirt is not",
    help: "A backend: NAME=PLUGIN[,KEY=VALUE…] (repeatable)",
  },
  plugin: {
    schema: z.array(PluginText, { error: "expected a list of plugins" }),
    fallback: () => [],
    shown: "none",
    help: "A plugin that receives events or answers requests: PLUGIN[,KEY=VALUE…] or NAME=PLUGIN[,KEY=VALUE…] (repeatable)",
  },
  "read-only": {
    schema: z.boolean({ error: "expected true or false" }),
    fallback: () => false,
    shown: "false",
    help: "Offer no tool that changes anything",
  },
  confirm: {
    schema: z.enum(["token", "human"], { error: "expected token or human" }),
    fallback: () => "token",
    shown: "token",
    help: "How a loss is confirmed if the client cannot ask its user: by sending the token back, or not at all (human)",
  },
  "claim-wait": {
    // A flag or a variable is text, and text that is no number must not become 0.
    schema: z
      .union(
        [
          z.number(),
          z
            .string()
            .regex(/^\d+(\.\d+)?$/)
            .transform(Number),
        ],
        { error: seconds },
      )
      .refine((value) => value >= 0 && value <= CLAIM_WAIT_MAX, seconds),
    fallback: () => 10,
    shown: "10",
    help: "Seconds to wait for another operation on the same VM",
  },
  ...httpSettings,
} as const;
type SettingName = keyof typeof settings;
const repeatable = new Set<SettingName>(["iso-dir", "connection", "plugin", "allow-host"]);
const booleans = new Set<SettingName>(["read-only"]);

/** The settings in `--help`. */
export function settingsHelp(): string {
  const rows = (Object.keys(settings) as SettingName[]).map((name) => {
    const { help, shown } = settings[name];
    return [booleans.has(name) ? `--${name}` : `--${name} VALUE`, `${help} (default: ${shown})`];
  });
  rows.push(["--config VALUE", "Settings file (default: $XDG_CONFIG_HOME/bootwright/config.json)"]);
  const width = Math.max(...rows.map(([flag]) => flag!.length));
  const lines = rows.map(([flag, text]) => `  ${flag!.padEnd(width)}  ${text}`);
  return `Settings, each also as a variable (${variableOf("read-only")}) or a key of the settings file ("read-only"):
${lines.join("\n")}
`;
}

export type Config = Readonly<{
  data: string;
  cache: string;
  images?: string;
  isoDirectories?: readonly string[];
  connections: readonly ConnectionSetting[];
  plugins: readonly PluginSetting[];
  readOnly: boolean;
  confirm: "token" | "human";
  claimWaitMs: number;
  guestListen?: Listen;
  http: HttpConfig;
}>;

/** An unusable setting. `message` names its source and the expected form. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export const variableOf = (name: string) => `BOOTWRIGHT_${name.toUpperCase().replaceAll("-", "_")}`;

/** Splits settings from the command and its arguments. @throws ConfigError */
export function readConfig(
  argv: readonly string[],
  env: Environment,
): { config: Config; rest: string[]; help: boolean; version: boolean } {
  const options = Object.fromEntries([
    ...(Object.keys(settings) as SettingName[]).map((name) => [
      name,
      { type: booleans.has(name) ? "boolean" : "string", multiple: repeatable.has(name) },
    ]),
    ["config", { type: "string" }],
    ["json", { type: "string" }],
    ["scope", { type: "string", multiple: true }],
    ["help", { type: "boolean", short: "h" }],
    ["version", { type: "boolean" }],
  ]) as NonNullable<Parameters<typeof parseArgs>[0]>["options"];
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...argv], options: options!, allowPositionals: true, strict: true });
  } catch (error) {
    throw new ConfigError(
      `${error instanceof Error ? error.message : error}. Settings: ${Object.keys(settings)
        .map((n) => `--${n}`)
        .join(", ")}`,
    );
  }
  const flags = parsed.values as Record<string, unknown>;
  const file = readFile(
    (flags.config as string | undefined) ?? env.BOOTWRIGHT_CONFIG,
    join(configHome(env), "bootwright", "config.json"),
  );
  const sourceOf = (name: SettingName) => rawValue(name, flags, env, file) ?? [settings[name].fallback(env), "default"];
  const value = (name: SettingName): unknown => {
    const { schema } = settings[name];
    const [raw, from] = sourceOf(name);
    if (raw === undefined) return undefined;
    const result = (schema as z.ZodType).safeParse(raw);
    if (result.success) return result.data;
    throw new ConfigError(`Cannot use ${from}: ${result.error.issues.map(({ message }) => message).join("; ")}`);
  };
  const [images, isoDirectories] = [value("images") as string | undefined, value("iso-dir") as string[] | undefined];
  const connections = value("connection") as ConnectionSetting[];
  const guestListen = value("guest-listen") as Listen | undefined;
  const twice = connections.find(({ name }, index) => connections.findIndex((c) => c.name === name) !== index);
  if (twice) throw new ConfigError(`Cannot use ${sourceOf("connection")[1]}: the name "${twice.name}" is given twice`);
  const http = asConfigError(() => httpConfig(value, env.BOOTWRIGHT_TOKEN));
  const config: Config = Object.freeze({
    data: value("data") as string,
    cache: join(cacheHome(env), "bootwright"),
    connections,
    plugins: value("plugin") as PluginSetting[],
    readOnly: value("read-only") as boolean,
    confirm: value("confirm") as Config["confirm"],
    claimWaitMs: (value("claim-wait") as number) * 1000,
    ...(guestListen && { guestListen }),
    http,
    ...(images !== undefined && { images }),
    ...(isoDirectories !== undefined && { isoDirectories }),
  });
  const json = flags.json as string | undefined;
  return {
    config,
    rest: [
      ...parsed.positionals,
      ...(json === undefined ? [] : ["--json", json]),
      ...((flags.scope as string[] | undefined) ?? []).flatMap((scope) => ["--scope", scope]),
    ],
    help: flags.help === true,
    version: flags.version === true,
  };
}

function asConfigError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ConfigError ? error : new ConfigError((error as Error).message);
  }
}

function rawValue(
  name: SettingName,
  flags: Record<string, unknown>,
  env: Environment,
  file: { path: string; values: Record<string, unknown> },
): [unknown, string] | undefined {
  if (flags[name] !== undefined) return [flags[name], `--${name}`];
  const variable = variableOf(name);
  const text = env[variable];
  if (text !== undefined && text !== "") {
    if (repeatable.has(name)) return [text.split(name === "iso-dir" ? ":" : ";").filter(Boolean), variable];
    if (booleans.has(name)) return [{ true: true, "1": true, false: false, "0": false }[text] ?? text, variable];
    return [text, variable];
  }
  if (file.values[name] !== undefined) return [file.values[name], `"${name}" in ${file.path}`];
  return undefined;
}

function readFile(named: string | undefined, usual: string): { path: string; values: Record<string, unknown> } {
  const path = named ?? usual;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    // Only the default file may be missing. Ignoring an unreadable one would silently ignore settings. On Deno the user may
    // have denied the permission to read it.
    const { code, name } = error as NodeJS.ErrnoException;
    if (named === undefined && (code === "ENOENT" || name === "NotCapable")) return { path, values: {} };
    throw new ConfigError(`Cannot read settings file ${path}: ${error instanceof Error ? error.message : error}`);
  }
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`Cannot read settings file ${path}: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(values);
  const unknown = parsed.success ? Object.keys(parsed.data).filter((key) => !Object.hasOwn(settings, key)) : [];
  if (!parsed.success || unknown.length) {
    throw new ConfigError(
      `Cannot use settings file ${path}: ${unknown.length ? `unknown keys ${unknown.join(", ")}` : "it is not a JSON object"}; known: ${Object.keys(settings).join(", ")}`,
    );
  }
  return { path, values: parsed.data };
}
