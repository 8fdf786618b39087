/** Finds this host's UEFI firmware by the descriptors of its packages (QEMU's docs/interop/firmware.json). */
import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

const File = z.object({ filename: z.string(), format: z.enum(["raw", "qcow2"]) });
const Descriptor = z.object({
  "interface-types": z.array(z.string()),
  mapping: z.object({
    device: z.literal("flash"),
    mode: z.literal("split").default("split"),
    executable: File,
    "nvram-template": File,
  }),
  targets: z.array(z.object({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
});

export type UefiFirmware = Readonly<{
  code: string;
  codeFormat: "raw" | "qcow2";
  /** Template of the VM's own variables. */
  variables: string;
  variablesFormat: "raw" | "qcow2";
  /** Only code in system management mode may write the variables. */
  needsSmm: boolean;
}>;

/** Directories of descriptors, from the user's own to the distribution's; a name in an earlier one hides it in a later
 * one. */
const directories = (): string[] => [
  join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "qemu", "firmware"),
  "/etc/qemu/firmware",
  "/usr/local/share/qemu/firmware",
  "/usr/share/qemu/firmware",
  "/opt/homebrew/share/qemu/firmware",
];

/** The first firmware of this kind, in the descriptors' own order: with Secure Boot and Microsoft's keys, or without
 * either, since unsigned installers end in "Access Denied" under the first kind.
 * @throws Error when this host has none */
export async function firmwareFor(
  kind: "uefi" | "uefi_secure",
  places: readonly string[] = directories(),
): Promise<UefiFirmware> {
  const secure = kind === "uefi_secure";
  for (const { mapping, features } of await descriptorsIn(places)) {
    if (features.includes("enrolled-keys") !== secure || features.includes("secure-boot") !== secure) continue;
    return {
      code: mapping.executable.filename,
      codeFormat: mapping.executable.format,
      variables: mapping["nvram-template"].filename,
      variablesFormat: mapping["nvram-template"].format,
      needsSmm: features.includes("requires-smm"),
    };
  }
  throw new Error(`no ${kind} firmware for x86_64 here; install OVMF (looked in ${places.join(", ")})`);
}

async function descriptorsIn(places: readonly string[]): Promise<z.infer<typeof Descriptor>[]> {
  const paths = new Map<string, string>();
  for (const place of places) {
    const names = await readdir(place).catch(() => []);
    for (const name of names) if (name.endsWith(".json") && !paths.has(name)) paths.set(name, join(place, name));
  }
  const found: z.infer<typeof Descriptor>[] = [];
  for (const [, path] of [...paths].sort(([a], [b]) => (a < b ? -1 : 1))) {
    // Empty files hide one of the same name; others describe firmware of another kind.
    const parsed = Descriptor.safeParse(
      await readFile(path, "utf8")
        .then(JSON.parse)
        .catch(() => undefined),
    );
    if (parsed.success && fits(parsed.data)) found.push(parsed.data);
  }
  return found;
}

const fits = ({ "interface-types": interfaces, targets }: z.infer<typeof Descriptor>): boolean =>
  interfaces.includes("uefi") &&
  targets.some(
    ({ architecture, machines }) => architecture === "x86_64" && machines.some((machine) => /^pc-q35/.test(machine)),
  );
