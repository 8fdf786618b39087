/** Builders of the domain's values, and a world with a memory backend and a real store. */
import { createHmac } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { z } from "zod";
import type { Config } from "../../plugins/memory/config.ts";
import memory from "../../plugins/memory/index.ts";
import type { Session } from "../../plugins/memory/machine.ts";
import type { Change } from "../../src/domain/changes/catalogue.ts";
import { definitionFor, targetsFor, type VmSpec } from "../../src/domain/changes/lifecycle.ts";
import { observe } from "../../src/domain/engine/observe.ts";
import { type Outcome, operate, type Request } from "../../src/domain/engine/operate.ts";
import { DomainError } from "../../src/domain/error.ts";
import { bootWith, type PresetOrder, rolesOf } from "../../src/domain/model/boot-order.ts";
import type { DiskFact, IsoFact } from "../../src/domain/model/image-fact.ts";
import type { ImageIdentity } from "../../src/domain/model/image-ref.ts";
import type { State } from "../../src/domain/model/state.ts";
import type { Target, Vm, VmDefinition } from "../../src/domain/model/vm.ts";
import type { VmRecord } from "../../src/domain/model/vm-record.ts";
import type { Backend } from "../../src/domain/ports/backend.ts";
import type { Connections } from "../../src/domain/ports/connections.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import type { PluginContext } from "../../src/plugin.ts";
import { bindBackend } from "../../src/plugin-host/backends.ts";
import { openSqliteStore, type SqliteStore } from "../../src/store/sqlite/store.ts";
import { type Asked, requestWith } from "./call.ts";
import { newStoreDirectory } from "./store-directory.ts";

export const GIB = 1024 ** 3;
export const AT = "2026-11-23T10:00:00.000Z";
export const uuid = "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c01";
export const target: Target = { connection: "local", uuid };
export const images = "/memory/images";
export const diskPath = `${images}/${uuid}.qcow2`;
/** The sample ISOs of the memory plugin. */
export const isos = {
  installer: "/memory/isos/installer.iso",
  uefi: "/memory/isos/installer-uefi.iso",
  live: "/memory/isos/live.iso",
  data: "/memory/isos/drivers.iso",
};

export function vmSpec(more: Partial<VmSpec> = {}): VmSpec {
  const id = more.uuid ?? uuid;
  const diskBus = more.diskBus ?? "virtio";
  return {
    uuid: id,
    name: "web",
    memoryBytes: 2 * GIB,
    cpus: 2,
    firmware: "bios",
    tpm: false,
    diskPath: `${images}/${id}.qcow2`,
    diskBus,
    ...targetsFor(diskBus),
    network: "user",
    order: "cdrom_hd",
    serialLog: `${images}/${id}.serial.log`,
    acceleration: "auto",
    claim: { uuid: id, revision: 1, status: "NotInstalled" },
    ...more,
  };
}

/** The definition that `vmSpec` leads to: one virtio disk `vda`, one SATA drive `sda`, booted `cdrom_hd`, an empty tray. */
export const vmDefinition = ({
  order,
  isoPath,
  ...more
}: Partial<VmDefinition> & { order?: PresetOrder; isoPath?: string } = {}): VmDefinition => ({
  ...definitionFor(vmSpec({ ...(order && { order }), ...(isoPath !== undefined && { isoPath }) })),
  ...more,
});

/** A VM that is off; with `run`, or with `power` other than off, one whose live definition is its next one. */
export function vm(more: Partial<Vm> = {}): Vm {
  const next = more.next ?? vmDefinition();
  const isOn = (more.power ?? "off") !== "off" || more.run !== undefined;
  return {
    uuid,
    name: "web",
    power: isOn ? "running" : "off",
    persistent: true,
    savedState: false,
    ...(isOn && { run: "run-1", live: next, readBytes: {} }),
    next,
    accelerator: "none",
    fingerprint: "fingerprint-1",
    ...more,
  };
}

/** Returns the identity of the image at this path, in a fixture. */
export const imageAt = (path: string): ImageIdentity => path as ImageIdentity;

export const diskFact = ({ path = diskPath, ...more }: Partial<DiskFact> = {}): DiskFact => {
  const known = { image: imageAt(path), format: "qcow2", virtualBytes: 20 * GIB, chain: [path] };
  return { path, state: "ok", content: "blank", ...known, ...more };
};

/** A disk with a system that this firmware boots. */
export const installedDisk = (firmware: "bios" | "uefi" = "bios", more: Partial<DiskFact> = {}): DiskFact =>
  diskFact({ content: "data", bootsBios: firmware === "bios", bootsUefi: firmware === "uefi", ...more });

export const isoFact = (more: Partial<IsoFact> = {}): IsoFact => {
  const path = more.path ?? isos.installer;
  return {
    path,
    state: "ok",
    sizeBytes: 650 * 1024 ** 2,
    bootsBios: true,
    bootsUefi: true,
    identity: `${path}:1`,
    ...more,
  };
};

export const vmRecord = (more: Partial<VmRecord> = {}): VmRecord => ({
  ...target,
  name: "web",
  roles: rolesOf(vmDefinition()),
  status: "NotInstalled",
  requestedOrder: "cdrom_hd",
  ownedFiles: [],
  revision: 1,
  origin: "created",
  createdAt: AT,
  updatedAt: AT,
  ...more,
});

export type StateParts = Omit<Partial<State>, "disks" | "isos"> & {
  disks?: readonly DiskFact[];
  isos?: readonly IsoFact[];
};

/** A managed VM that is off with a blank disk. What its definitions name and nobody gave facts of gets the default ones;
 * `record: undefined` makes it unmanaged. */
export function state({ disks = [], isos: given = [], ...more }: StateParts = {}): State {
  const one = "vm" in more ? more.vm : vm();
  const definitions = [one?.next, one?.live].filter((definition) => definition !== undefined);
  const missing = <T extends { path: string }>(
    facts: readonly T[],
    paths: readonly (string | undefined)[],
    make: (path: string) => T,
  ) => [
    ...facts,
    ...[...new Set(paths)]
      .filter((path) => path !== undefined && !facts.some((fact) => fact.path === path))
      .map((path) => make(path!)),
  ];
  const allDisks = missing(
    disks,
    definitions.flatMap((definition) => definition.disks.map(({ path }) => path)),
    (path) => diskFact({ path }),
  );
  const allIsos = missing(
    given,
    definitions.flatMap((definition) => definition.drives.map(({ path }) => path)),
    (path) => isoFact({ path }),
  );
  const { vm: _vm, record, ...rest } = { record: vmRecord(), ...more };
  return {
    target,
    freeBytes: 500 * GIB,
    ...rest,
    ...(one && { vm: one }),
    ...(record && { record }),
    disks: Object.fromEntries(allDisks.map((fact) => [fact.path, fact])),
    isos: Object.fromEntries(allIsos.map((fact) => [fact.path, fact])),
  };
}

/** Makes the change that gives a VM this order. */
export const orderChange = (now: State, order: PresetOrder): Change => ({
  kind: "boot_order.set",
  boot: bootWith(now.vm!.next, now.record?.roles ?? rolesOf(now.vm!.next), order),
  order,
});

export const pluginContext = (connection: string, more: Partial<PluginContext> = {}): PluginContext => ({
  connection,
  log: () => {},
  signal: new AbortController().signal,
  fingerprint: (meaning) => createHmac("sha256", "a key for tests").update(meaning).digest("hex"),
  cacheDirectory: join(tmpdir(), "bootwright-test-cache"),
  stateDirectory: join(tmpdir(), "bootwright-test-state"),
  defaults: {},
  ...more,
});

/** A memory session and the backend over it. An installer is done when a test says so. */
export async function memoryBackend(
  config: z.input<typeof Config> = {},
  connection = "local",
): Promise<{ session: Session; backend: Backend }> {
  const parsed = memory.config.parse({ installsAfterMs: "never", ...config });
  const session = await memory.open(parsed, pluginContext(connection));
  return { session, backend: bindBackend(memory, session, connection) };
}

export type WorldOptions = Readonly<{
  config?: z.input<typeof Config>;
  /** Wraps the backend, to make it fail or wait. */
  wrap?: (backend: Backend) => Backend;
  /** The store's directory, to open the same one again. */
  directory?: string;
  now?: () => Date;
  /** Ids are `00000000-0000-4000-8000-000000000001` and so on unless this makes others. */
  newId?: () => string;
  claimWaitMs?: number;
}>;

export type World = Readonly<{
  session: Session;
  backend: Backend;
  store: SqliteStore;
  ports: Ports;
  connections: Connections;
  directory: string;
  look(at: Target): Promise<State>;
  /** Runs changes through the whole flow. */
  run(at: Target, intent: Request["intent"] | Change, more?: Asked): Promise<Outcome>;
  /** Runs changes with the confirmation that they ask for. */
  agree: World["run"];
  /** Creates a VM as `create_vm` does. */
  create(more?: Partial<VmSpec>, sizeBytes?: number): Promise<Target>;
}>;

/** Opens a world, which is closed and removed when the test has finished. */
export async function world(options: WorldOptions = {}): Promise<World> {
  let count = 0;
  const newId = options.newId ?? (() => `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`);
  const now = options.now ?? (() => new Date());
  const directory = options.directory ?? (await newStoreDirectory());
  const { session, backend: plain } = await memoryBackend(options.config);
  const backend = options.wrap?.(plain) ?? plain;
  // Holders are told apart by their ids, and a world may be opened over another's directory: never counted ones.
  const store = await openSqliteStore({
    directory,
    imageDirectory: session.imageDirectory,
    connection: "local",
    now,
    newId: () => crypto.randomUUID(),
  });
  onTestFinished(async () => {
    await memory.close(session);
    await store.close();
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  });
  const ports: Ports = { backend, store, newId, now, claimWaitMs: options.claimWaitMs ?? 1_000 };
  const run: World["run"] = (at, intent, more = {}) =>
    operate(
      ports,
      requestWith(
        {
          target: at,
          what: "test",
          intent: typeof intent === "function" ? intent : () => [intent],
          subject: "test",
        },
        more,
      ),
    );
  return {
    session,
    backend,
    store,
    ports,
    connections: { names: ["local"], capabilities: () => backend.capabilities, backend: async () => backend },
    directory,
    look: (at) => observe(ports, at, { usage: true }),
    run,
    async agree(at, intent, more) {
      const refused = await run(at, intent, more).catch((error: unknown) => error);
      if (!(refused instanceof DomainError) || refused.code !== "CONFIRMATION_REQUIRED")
        throw new Error("no confirmation was asked for", { cause: refused });
      return run(at, intent, { ...more, confirm: (refused as DomainError<"CONFIRMATION_REQUIRED">).details.confirm });
    },
    async create(more = {}, sizeBytes = 20 * GIB) {
      const id = more.uuid ?? crypto.randomUUID();
      const spec = vmSpec({ uuid: id, ...more });
      const made: Change[] = [
        { kind: "disk.create", path: spec.diskPath, sizeBytes },
        { kind: "vm.create", spec, ownedFiles: [spec.diskPath, spec.serialLog], at: now().toISOString() },
      ];
      const at = { connection: "local", uuid: id };
      await run(at, () => made, {
        look: { diskPaths: [spec.diskPath], isoPaths: spec.isoPath === undefined ? [] : [spec.isoPath] },
      });
      return at;
    },
  };
}
