/** Backends: loads their plugins, opens one session for each connection when it is first used, and closes them again. */
import { setTimeout as after } from "node:timers/promises";
import type { Change, ChangeKind } from "../domain/changes/catalogue.ts";
import { DeadlineExceeded, TimeIsUp, withDeadline } from "../domain/deadline.ts";
import { createImageIndex } from "../domain/engine/image-index.ts";
import { DomainError } from "../domain/error.ts";
import type { Vm } from "../domain/model/vm.ts";
import { nearestFirst } from "../domain/nearest.ts";
import type { ApplyContext, Backend, Capabilities, Hint } from "../domain/ports/backend.ts";
import type { Connections } from "../domain/ports/connections.ts";
import type { Images } from "../domain/ports/images.ts";
import type { Plugin, PluginContext } from "../plugin.ts";
import { importPlugin, parseConfig } from "./load.ts";
import { sharing } from "./shared-look.ts";

/** From the command line and the environment a plugin's settings are text; in the settings file they may be nested. */
export type ConnectionSetting = Readonly<{ name: string; plugin: string; config: Readonly<Record<string, unknown>> }>;

export type HostOptions = Readonly<{
  connections: readonly ConnectionSetting[];
  /** Plugins that ship with the program, by name, loaded when they are named. */
  shipped: Readonly<Record<string, () => Promise<{ default: unknown }>>>;
  context: (connection: string) => Omit<PluginContext, "connection" | "signal">;
}>;

export type Host = Connections & Readonly<{ close(): Promise<void> }>;

const CLOSE_LIMIT_MS = 5_000;
/** A session is opened once for all callers, so it is on nobody's time. */
const OPEN_LIMIT_MS = 90_000;
/** How long one look may take, in milliseconds, for whoever has no less time: at a VM or an image, and at a whole image or
 * the list of a host with thousands of VMs. Longer than the limits that the shipped backends set themselves, which say more
 * about what was being done. */
export const lookLimits = { short: 90_000, long: 330_000 } as const;

/** Loads the plugins of all connections; opens none.
 * @throws DomainError PLUGIN_NOT_FOUND, PLUGIN_INVALID, PLUGIN_CONFIG_INVALID */
export async function openHost(options: HostOptions): Promise<Host> {
  const ending = new AbortController();
  const loaded = new Map<string, { plugin: Plugin; config: unknown }>();
  for (const { name, plugin: wanted, config } of options.connections) {
    const plugin = await importPlugin(
      wanted,
      Object.hasOwn(options.shipped, wanted) ? options.shipped[wanted] : undefined,
    );
    if (!plugin.backend)
      throw new DomainError("PLUGIN_INVALID", {
        plugin: wanted,
        reason: "it brings no backend, and a connection needs one; --plugin loads its functions",
      });
    loaded.set(name, { plugin, config: parseConfig(plugin, plugin.manifest.name, config, name) });
  }
  const opened = new Map<string, Promise<{ session: unknown; backend: Backend }>>();

  const openSession = async (name: string) => {
    const { plugin, config } = known(name);
    if (ending.signal.aborted)
      throw new DomainError("BACKEND_UNAVAILABLE", { connection: name, reason: "Bootwright is closing" });
    const context = { ...options.context(name), connection: name, signal: ending.signal };
    return guarded(name, "open", async () => {
      const opening = plugin.open(config, context);
      const session = await withDeadline(OPEN_LIMIT_MS, () => opening).catch((error: unknown) => {
        // A session that comes after all belongs to nobody.
        if (error instanceof DeadlineExceeded) void opening.then((late) => plugin.close(late)).catch(() => undefined);
        throw unheard(name, "open", error);
      });
      return { session, backend: bindBackend(plugin, session, name) };
    });
  };
  const open = (name: string) => {
    const session = openSession(name);
    opened.set(name, session);
    session.catch(() => opened.delete(name));
    return session;
  };
  const known = (name: string) => {
    const found = loaded.get(name);
    if (!found)
      throw new DomainError("CONNECTION_NOT_FOUND", {
        connection: name,
        known: nearestFirst(name, [...loaded.keys()]),
      });
    return found;
  };

  return {
    names: [...loaded.keys()],
    capabilities: (name) => capabilitiesOf(known(name).plugin),
    backend: async (name) => (await (opened.get(name) ?? open(name))).backend,
    async close() {
      ending.abort();
      for (const [name, session] of [...opened].reverse()) {
        const closing = session.then(({ session: value }) => known(name).plugin.close(value)).catch(() => undefined);
        const closed = new AbortController();
        const limit = after(CLOSE_LIMIT_MS, undefined, { signal: closed.signal }).catch(() => undefined);
        await Promise.race([closing, limit]);
        closed.abort();
      }
      opened.clear();
    },
  };
}

/** Read from the definition alone, so that docs and tool lists need no connection. */
export function capabilitiesOf({ manifest, backend }: Pick<Plugin, "manifest" | "backend">): Capabilities {
  const changes = Object.entries(backend?.changes ?? {}).map(([kind, { running }]) => [kind, { running }]);
  return {
    backend: manifest.name,
    ...(backend?.console && { console: true as const }),
    changes: Object.fromEntries(changes),
  };
}

/** The domain's port over a plugin's backend and one session of it. What the plugin throws and is no DomainError is
 * wrapped, with the plugin's error as its cause. */
export function bindBackend<Config, Session>(
  plugin: Plugin<Config, Session>,
  session: Session,
  connection: string,
  limits: LookLimits = lookLimits,
): Backend {
  const backend = plugin.backend;
  if (!backend)
    throw new DomainError("PLUGIN_INVALID", { plugin: plugin.manifest.name, reason: "it brings no backend" });
  const guard = <T>(what: string, work: () => Promise<T>) => guarded(connection, what, work);
  const look = looking(connection, limits);
  const index = createImageIndex();
  /** Whatever came of it, the index looks at the VM again. */
  const touching = <T>(uuid: string | undefined, work: Promise<T>) =>
    work.finally(() => (uuid === undefined ? undefined : index.touched(uuid)));
  return {
    connection,
    imageIndex: index,
    capabilities: capabilitiesOf(plugin as Pick<Plugin, "manifest" | "backend">),
    images: guardedImages(connection, backend.images(session), limits),
    ...(backend.callOutlivesCallerMs !== undefined && { callOutlivesCallerMs: backend.callOutlivesCallerMs }),
    // The one look that grows with the number of VMs, and that every list and every check of a disk's users takes.
    list: look.shared("list", async (ends) => {
      const begun = index.now();
      const vms = await backend.list(session, ends);
      index.listed(vms, begun);
      return vms;
    }),
    async observe(uuid, signal) {
      const begun = index.now();
      const vm = await look.short("observe", signal, (ends) => backend.observe(session, uuid, ends));
      index.observed(uuid, vm, begun);
      return vm;
    },
    lookup: (name, signal) => look.short("lookup", signal, (ends) => backend.lookup(session, name, ends)),
    host: (signal) => look.short("host", signal, (ends) => backend.host(session, ends)),
    exportDefinition: (uuid, signal) =>
      look.short("export the definition", signal, (ends) => backend.exportDefinition(session, uuid, ends)),
    importDefinition: (uuid, definition, context) =>
      touching(
        uuid,
        guard("import the definition", () => backend.importDefinition(session, uuid, definition, context)),
      ),
    apply: <K extends ChangeKind>(vm: Vm | undefined, change: Change<K>, context: ApplyContext) =>
      guard(change.kind, async () => {
        const handler = backend.changes[change.kind as K];
        if (!handler) {
          const supported = Object.keys(backend.changes);
          throw new DomainError("CHANGE_UNSUPPORTED", {
            change: change.kind,
            backend: plugin.manifest.name,
            supported,
          });
        }
        await touching(
          uuidIn(vm, change as { spec?: Readonly<{ uuid: string }> }),
          handler.apply(session, vm, change, context),
        );
      }),
    ...(backend.guest && {
      guest: (uuid: string, signal?: AbortSignal) =>
        look.short("ask the guest", signal, (ends) => backend.guest!(session, uuid, ends)),
    }),
    ...(backend.console && {
      console: (uuid: string, signal?: AbortSignal) =>
        look.short("open the console", signal, (ends) => backend.console!(session, uuid, ends)),
    }),
    ...(backend.watch && {
      async watch(tell: (hint: Hint) => void, signal: AbortSignal) {
        const { hinted, ended } = index.watching();
        const hear = (hint: Hint) => {
          hinted(hint);
          tell(hint);
        };
        await guard("watch", () => backend.watch!(session, hear, signal)).finally(ended);
      },
    }),
  };
}

/** The VM that a change is made to; one that makes a VM says itself which. */
const uuidIn = (vm: Vm | undefined, change: { spec?: Readonly<{ uuid: string }> }): string | undefined =>
  vm?.uuid ?? change.spec?.uuid;

/** What a plugin throws and is no DomainError is the plugin's failure, with the original as its cause. */
async function guarded<T>(connection: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError("BACKEND_FAILED", { connection, change: what, reason }, { cause: error });
  }
}

type LookLimits = Readonly<Record<keyof typeof lookLimits, number>>;

/** A look that is not answered must not keep the VM that is looked at, and every caller who waits for it. */
function looking(connection: string, { short, long }: LookLimits) {
  const withLimit =
    (limitMs: number) =>
    <T>(what: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>) =>
      guarded(connection, what, () => {
        let heeded: AbortSignal | undefined;
        const asking = (ends: AbortSignal) => {
          heeded = ends;
          return work(ends);
        };
        return withDeadline(limitMs, asking, signal).catch((error: unknown) => {
          // However the plugin ends it once its time is up, that it was up is the reason.
          throw unheard(connection, what, error, heeded?.reason);
        });
      });
  const [ofOne, ofAll] = [withLimit(short), withLimit(long)];
  return {
    short: ofOne,
    long: ofAll,
    /** A long look that all who ask at the same time share; each of them gives up for itself. */
    shared<T>(what: string, work: (signal: AbortSignal) => Promise<T>) {
      const ask = sharing((signal) => ofAll(what, signal, work));
      return (signal?: AbortSignal): Promise<T> =>
        ask(signal).catch((error: unknown) => {
          throw unheard(connection, what, error, undefined);
        });
    },
  };
}

function unheard(connection: string, what: string, error: unknown, aborted?: unknown): unknown {
  const late = [error, aborted].find((one) => one instanceof DeadlineExceeded || one instanceof TimeIsUp);
  if (!(late instanceof Error)) return error;
  return new DomainError("BACKEND_UNAVAILABLE", { connection, reason: `${what}: ${late.message}` }, { cause: error });
}

/** The connection's images, each of their methods guarded as the backend's are. */
function guardedImages(connection: string, images: Images, limits: LookLimits): Images {
  const guard = <T>(what: string, work: () => Promise<T>) => guarded(connection, what, work);
  const look = looking(connection, limits);
  return {
    imageDirectory: images.imageDirectory,
    isoDirectories: images.isoDirectories,
    pathFor: (uuid, extension) => images.pathFor(uuid, extension),
    isos: (signal) => look.long("list ISOs", signal, (ends) => images.isos(ends)),
    resolveIso: (pathOrName) => look.short("find an ISO", undefined, () => images.resolveIso(pathOrName)),
    iso: (path, signal) => look.short("look at an ISO", signal, (ends) => images.iso(path, ends)),
    disk: (path, options) => {
      const long = options?.check ? look.long : look.short;
      return long("look at a disk", options?.signal, (signal) => images.disk(path, { ...options, signal }));
    },
    ref: (name) => images.ref(name),
    show: (ref) => images.show(ref),
    identify: (ref) => look.short("look at a disk", undefined, () => images.identify(ref)),
    chain: (ref) => look.short("look at a disk", undefined, () => images.chain(ref)),
    createDisk: (path, sizeBytes, signal) => guard("disk.create", () => images.createDisk(path, sizeBytes, signal)),
    growDisk: (path, sizeBytes, signal) => guard("disk.resize", () => images.growDisk(path, sizeBytes, signal)),
    remove: (path) => guard("disk.delete", () => images.remove(path)),
    space: (path) => look.short("look at the space", undefined, () => images.space(path)),
  };
}
