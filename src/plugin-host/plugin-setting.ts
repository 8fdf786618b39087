/** Parses how settings name a plugin with its own settings: one text, or an object in the settings file. */
import { z } from "zod";
import type { ConnectionSetting } from "./backends.ts";
import type { PluginSetting } from "./plugin-functions.ts";

const name = /^\w[\w.-]{0,63}$/;
const SettingObject = z.strictObject({
  name: z
    .string({ error: "expected text" })
    .regex(name, "expected a name of letters, digits, _, - and .")
    .exactOptional(),
  plugin: z.string({ error: "expected a plugin" }).min(1, "expected a plugin"),
  config: z.record(z.string(), z.unknown(), { error: "expected an object" }).default({}),
});

export const ConnectionText = settingSchema((setting): ConnectionSetting | string =>
  setting?.name === undefined
    ? "NAME=PLUGIN[,KEY=VALUE…], local=libvirt,uri=qemu:///system say"
    : { ...setting, name: setting.name },
);
export const PluginText = settingSchema(
  (setting): PluginSetting | string =>
    setting ??
    "PLUGIN[,KEY=VALUE…] or NAME=PLUGIN[,KEY=VALUE…], log=./plugins/audit-log.ts,path=/var/log/vms.jsonl say",
);

/** A schema that accepts either form, and refuses with the expected form. */
function settingSchema<Setting extends object>(take: (setting: PluginSetting | undefined) => Setting | string) {
  return z.unknown().transform((value, context): Setting => {
    const shown = typeof value === "string" ? value : JSON.stringify(value);
    const refuse = (message: string) => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    const read = typeof value === "string" ? readText(value) : readObject(value);
    if (typeof read === "string") return refuse(`in "${shown}", ${read}`);
    const taken = take(read);
    return typeof taken === "string" ? refuse(`"${shown}" is no ${taken}`) : taken;
  });
}

function readObject(value: unknown): PluginSetting | string {
  const { data, error } = SettingObject.safeParse(value);
  return data ?? error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ");
}

/** @returns the fault as text; undefined if no plugin is named */
function readText(text: string): PluginSetting | string | undefined {
  const [head = "", ...pairs] = text.split(",");
  const at = head.indexOf("=");
  const named = at > 0 && name.test(head.slice(0, at));
  const plugin = named ? head.slice(at + 1) : head;
  if (plugin === "" || at === 0) return undefined;
  const config = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, equals);
    if (equals < 1) return `"${pair}" is not KEY=VALUE`;
    if (config.has(key)) return `${key} is given twice`;
    config.set(key, pair.slice(equals + 1));
  }
  return { plugin, config: Object.fromEntries(config), ...(named && { name: head.slice(0, at) }) };
}
