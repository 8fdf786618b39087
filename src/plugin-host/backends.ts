/** Loads the plugins of backends, opens one session for each connection at its first use, and closes the sessions. */
import { setTimeout as after } from "node:timers/promises";
import type { Change, ChangeKind } from "../domain/changes/catalogue.ts";
import { DeadlineExceeded, withDeadline } from "../domain/deadline.ts";
import { createImageIndex } from "../domain/engine/image-index.ts";
import { DomainError } from "../domain/error.ts";
import type { Vm } from "../domain/model/vm.ts";
import { nearestFirst } from "../domain/nearest.ts";
import type { ApplyContext } from "../domain/ports/apply-context.ts";
import type { Backend, BackendCore, Capabilities } from "../domain/ports/backend.ts";
import type { BackendGroups, GroupName } from "../domain/ports/backend-groups.ts";
import type { Connections } from "../domain/ports/connections.ts";
import type { Images } from "../domain/ports/images.ts";
import type { Plugin, PluginContext, WithSession } from "../plugin.ts";
import { backendGroups, type Calls, coreCalls, groupNames, imageCalls } from "./backend-calls.ts";
import {
  type Binding,
  bindCalls,
  createReader,
  type ReadLimits,
  readLimits,
  touch,
  unavailableIfLate,
  wrapPluginErrors,
} from "./bind-calls.ts";
import { checkBackend, importPlugin, parseConfig } from "./load.ts";

/** A plugin's settings are text on the command line and in the environment. The settings file may nest them. */
export type ConnectionSetting = Readonly<{ name: string; plugin: string; config: Readonly<Record<string, unknown>> }>;

export type BackendHostOptions = Readonly<{
  connections: readonly ConnectionSetting[];
  /** Plugins that ship with the program, by name. A plugin is loaded when a connection names it. */
  shipped: Readonly<Record<string, () => Promise<{ default: unknown }>>>;
  context: (connection: string) => Omit<PluginContext, "connection" | "signal">;
}>;

export type BackendHost = Connections & Readonly<{ close(): Promise<void> }>;

const CLOSE_LIMIT_MS = 5_000;
/** All callers share the opening of a session, so no caller's deadline applies. */
const OPEN_LIMIT_MS = 90_000;
/** Loads the plugins of all connections. Opens no session.
 * @throws DomainError PLUGIN_NOT_FOUND, PLUGIN_INVALID, PLUGIN_CONFIG_INVALID */
export async function openBackendHost(options: BackendHostOptions): Promise<BackendHost> {
  const ending = new AbortController();
  const loaded = new Map<string, { plugin: Plugin; config: unknown }>();
  for (const { name, plugin: wanted, config } of options.connections) {
    const plugin = await importPlugin(
      wanted,
      Object.hasOwn(options.shipped, wanted) ? options.shipped[wanted] : undefined,
    );
    checkBackend(wanted, plugin.backend);
    loaded.set(name, { plugin, config: parseConfig(plugin, plugin.manifest.name, config, name) });
  }
  const opened = new Map<string, Promise<{ session: unknown; backend: Backend }>>();

  const openSession = async (name: string) => {
    const { plugin, config } = known(name);
    if (ending.signal.aborted)
      throw new DomainError("BACKEND_UNAVAILABLE", { connection: name, reason: "Bootwright is closing" });
    const context = { ...options.context(name), connection: name, signal: ending.signal };
    return wrapPluginErrors(name, "open", async () => {
      const opening = plugin.open(config, context);
      const session = await withDeadline(OPEN_LIMIT_MS, () => opening).catch((error: unknown) => {
        // A session that opens too late has no owner.
        if (error instanceof DeadlineExceeded) void opening.then((late) => plugin.close(late)).catch(() => undefined);
        throw unavailableIfLate(name, "open", error);
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

/** Reads the definition alone, so that docs and tool lists need no connection. */
export function capabilitiesOf({ manifest, backend }: Pick<Plugin, "manifest" | "backend">): Capabilities {
  const changes = Object.entries(backend?.changes ?? {}).map(([kind, { running }]) => [kind, { running }]);
  return {
    backend: manifest.name,
    groups: groupNames.filter((group) => backend?.[group]),
    changes: Object.fromEntries(changes),
  };
}

/** The domain's port over one session of a plugin's backend. An error of the plugin's that is no DomainError becomes
 * BACKEND_FAILED, with the original as its cause. */
export function bindBackend<Config, Session>(
  plugin: Plugin<Config, Session>,
  session: Session,
  connection: string,
  limits: ReadLimits = readLimits,
): Backend {
  const backend = plugin.backend;
  if (!backend)
    throw new DomainError("PLUGIN_INVALID", { plugin: plugin.manifest.name, reason: "it brings no backend" });
  const index = createImageIndex();
  const binding: Binding = { connection, limits, index };
  const bindOwn = <Port>(calls: Calls<Port>, own: WithSession<Session, Port>) =>
    bindCalls(binding, calls, (name, given) => (own as Methods)[name]!(session, ...given));
  const ownGroups: { readonly [G in GroupName]?: WithSession<Session, BackendGroups[G]> } = backend;
  const bindGroup = <G extends GroupName>(group: G) => {
    const own = ownGroups[group];
    return own && { [group]: bindOwn<BackendGroups[G]>(backendGroups[group].calls, own) };
  };
  const bound: Readonly<Partial<BackendGroups>> = Object.assign({}, ...groupNames.map(bindGroup));
  return {
    connection,
    imageIndex: index,
    capabilities: capabilitiesOf(plugin as Pick<Plugin, "manifest" | "backend">),
    images: bindImages(binding, backend.images(session)),
    ...(backend.callOutlivesCallerMs !== undefined && { callOutlivesCallerMs: backend.callOutlivesCallerMs }),
    ...bindOwn<BackendCore>(coreCalls, backend),
    ...bound,
    // The plugin has a handler for each kind of change.
    apply: <K extends ChangeKind>(vm: Vm | undefined, change: Change<K>, context: ApplyContext) =>
      wrapPluginErrors(connection, change.kind, async () => {
        const handler = backend.changes[change.kind as K];
        if (!handler) {
          const supported = Object.keys(backend.changes);
          throw new DomainError("CHANGE_UNSUPPORTED", {
            change: change.kind,
            backend: plugin.manifest.name,
            supported,
          });
        }
        const uuid = uuidIn(vm, change as { spec?: Readonly<{ uuid: string }> });
        try {
          await handler.apply(session, vm, change, context);
        } finally {
          touch(index, uuid);
        }
      }),
  };
}

type Methods = Readonly<Record<string, (...given: unknown[]) => unknown>>;

/** The VM that a change applies to. A change that creates a VM has the UUID in its spec. */
const uuidIn = (vm: Vm | undefined, change: { spec?: Readonly<{ uuid: string }> }): string | undefined =>
  vm?.uuid ?? change.spec?.uuid;

/** The connection's images, bound with the same limits and error handling as the backend. */
function bindImages(binding: Binding, images: Images): Images {
  const reader = createReader(binding.connection, binding.limits);
  return {
    imageDirectory: images.imageDirectory,
    isoDirectories: images.isoDirectories,
    ...bindCalls(binding, imageCalls, (name, given) => (images as unknown as Methods)[name]!(...given)),
    disk: (path, options) =>
      reader.one("read a disk", options?.check ? "long" : "short", options?.signal, (signal) =>
        images.disk(path, { ...options, signal }),
      ),
  };
}
