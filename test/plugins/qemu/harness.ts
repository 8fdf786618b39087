/** A qemu connection in a directory of its own; whatever still runs there ends with it. */
import { chmod, copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import qemu from "../../../plugins/qemu/index.ts";
import type { QemuSession } from "../../../plugins/qemu/session.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { workDirectory } from "../../support/guest-names.ts";
import { pluginContext } from "../../support/world.ts";

export type QemuHarness = Readonly<{
  directory: string;
  session: QemuSession;
  backend: Backend;
  iso: (path: string) => string;
  /** Another session on the same directory, as another server has. */
  another: () => Promise<Readonly<{ session: QemuSession; backend: Backend }>>;
  close: () => Promise<void>;
}>;

export async function openQemuHarness(isos: readonly string[] = []): Promise<QemuHarness> {
  const directory = await workDirectory();
  await chmod(directory, 0o711);
  for (const name of ["images", "isos"]) await mkdir(join(directory, name), { mode: 0o755 });
  const iso = (path: string) => join(directory, "isos", basename(path));
  for (const path of isos) await copyFile(path, iso(path));
  const ending = new AbortController();
  const another = async () => {
    const config = qemu.config.parse({
      vms: join(directory, "vms"),
      images: join(directory, "images"),
      "iso-dirs": join(directory, "isos"),
    });
    const context = pluginContext("local", { cacheDirectory: join(directory, "cache"), signal: ending.signal });
    const session = await qemu.open(config, context);
    return { session, backend: bindBackend(qemu, session, "local") };
  };
  const { session, backend } = await another();
  return {
    directory,
    session,
    backend,
    iso,
    another,
    async close() {
      try {
        const uuids = await readdir(join(directory, "vms")).catch(() => []);
        for (const uuid of uuids) {
          const vm = await backend.observe(uuid).catch(() => undefined);
          const stop = { kind: "power.stop", force: true, timeoutMs: 0 } as const;
          if (vm && vm.power !== "off")
            await backend.apply(vm, stop, { signal: AbortSignal.timeout(60_000), progress: () => {} });
        }
        await qemu.close(session);
        ending.abort();
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}
