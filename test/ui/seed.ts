/** A server with VMs in it from the start, and what guests and other programs do in it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/memory.ts";
import { type Command, commandFileOf } from "../support/seeded-plugin.ts";
import type { Seed } from "../tools/harness.ts";
import type { VisitOptions } from "./browser.ts";

const plugin = fileURLToPath(new URL("../support/seeded-plugin.ts", import.meta.url));

export type Seeded = Readonly<{
  server: NonNullable<VisitOptions["server"]>;
  /** What guests and other programs do before the hypervisor is looked at again. */
  outside: (...commands: Command[]) => void;
}>;

export function seeded(seed: Seed, ...guest: readonly string[]): Seeded {
  const data = temporaryDirectory();
  const path = join(data, "seed.json");
  writeFileSync(path, JSON.stringify(seed));
  const settings = [`local=${plugin}`, `seed=${path}`, "installsAfterMs=never", ...guest];
  return {
    server: { data, connection: settings.join(",") },
    outside: (...commands) => writeFileSync(commandFileOf(path), JSON.stringify(commands)),
  };
}
