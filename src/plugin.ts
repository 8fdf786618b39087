/** The plugin API: everything that a plugin imports. */
import { z } from "zod";
import type { Change, ChangeKind } from "./domain/changes/catalogue.ts";
import type { DomainEvent, EventType } from "./domain/model/event.ts";
import type { Vm } from "./domain/model/vm.ts";
import type { ApplyContext } from "./domain/ports/apply-context.ts";
import type { BackendCore, RunningEffect } from "./domain/ports/backend.ts";
import type { BackendGroups } from "./domain/ports/backend-groups.ts";
import type { Images } from "./domain/ports/images.ts";
import { type Scope, scopes } from "./domain/scope.ts";

export { openVnc, type VncAddress } from "./display/vnc.ts";
export type { Change, ChangeKind } from "./domain/changes/catalogue.ts";

export { definitionFor, targetsFor, type VmSpec } from "./domain/changes/lifecycle.ts";
export { DomainError } from "./domain/error.ts";
export type { BootOrder, PresetOrder } from "./domain/model/boot-order.ts";
export { bootOrderOf, bootSequence, bootWith, presetOrders, rolesOf } from "./domain/model/boot-order.ts";
export { canonicalJson, normaliseDefinition } from "./domain/model/definition.ts";
export { type DomainEvent, type EventType, eventTypes } from "./domain/model/event.ts";
export type { DiskFact, IsoFact } from "./domain/model/image-fact.ts";
export type { ImageIdentity, ImageLink, ImageRef } from "./domain/model/image-ref.ts";
export type { Occurrence } from "./domain/model/occurrence.ts";
export {
  type BootConfig,
  ClaimTag,
  type DeviceRef,
  type Disk,
  type Drive,
  diskOf,
  driveOf,
  type Firmware,
  type Power,
  type Roles,
  type StopReason,
  type Vm,
  type VmDefinition,
  withMedium,
} from "./domain/model/vm.ts";
export type { ApplyContext } from "./domain/ports/apply-context.ts";
export type { Host, RunningEffect } from "./domain/ports/backend.ts";
export type * from "./domain/ports/backend-groups.ts";
export type {
  DirectoryEntry,
  FileStat,
  HostAccess,
  HostConnection,
  HostFiles,
  HostProbe,
  HostPrograms,
  HostUser,
  OpenFile,
  ProgramOptions,
  ProgramResult,
  SocketAddress,
} from "./domain/ports/host-access.ts";
export type { Images, Space } from "./domain/ports/images.ts";
export { localHost } from "./host-access/local-host.ts";
export type { ImageHost } from "./images/disk-file.ts";
export { openImages } from "./images/images.ts";
export { PROBE_EXIT_PORT, PROBE_SHOWS, PROBE_SIGN, probeDisk } from "./images/probe-guest.ts";
export { type SpaceWatch, watchSpace } from "./images/space-watch.ts";
export { z };

/** Raised with every change that can break an existing plugin. */
export const PLUGIN_API = 1;

/** The scopes of a plugin's tool calls: reads, changes, and changes that lose something for good. */
export const permissions = scopes;
export type Permission = Scope;

export type Manifest = Readonly<{
  name: string;
  api: number;
  summary: string;
  /** The scopes of its tool calls. Default: none. */
  permissions?: readonly Permission[];
  /** The time limit of one call of a function, in milliseconds. Default: 10,000. At most 60,000. */
  limitMs?: number;
}>;

/** The files and network that a plugin's functions need. Deno enforces all of it, within the server's own permissions. Node
 * enforces the files, and from Node 25 on denies the network if `net` is empty. */
export type Reach = Readonly<{
  /** `host` or `host:port`. */
  net?: readonly string[];
  /** Absolute paths of files and directories beside the plugin's own. */
  read?: readonly string[];
  /** As `read`, and writable. */
  write?: readonly string[];
}>;

export type PluginContext = Readonly<{
  /** The name of the session's connection. For functions, the plugin's name in this server. */
  connection: string;
  /** Writes one line to stderr. */
  log: (message: string) => void;
  /** Aborts when Bootwright closes the plugin. */
  signal: AbortSignal;
  /** A keyed hash (HMAC-SHA-256): a fingerprint reveals nothing about its input. */
  fingerprint: (meaning: string) => string;
  /** A directory for data that can be recreated. */
  cacheDirectory: string;
  /** A directory for data that must stay, such as the definitions of VMs if the hypervisor keeps none. Functions have none. */
  stateDirectory?: string;
  /** The settings for all connections. A connection's own settings take precedence. */
  defaults: Readonly<{ images?: string; isoDirectories?: readonly string[] }>;
}>;

export type ChangeHandler<Session, K extends ChangeKind> = Readonly<{
  /** The effect of the change on a running VM. */
  running: RunningEffect;
  apply(session: Session, vm: Vm | undefined, change: Change<K>, context: ApplyContext): Promise<void>;
}>;

/** The methods of a port with the session as first argument. */
export type WithSession<Session, Port> = {
  readonly [K in keyof Port]: Port[K] extends (...given: infer Given) => infer Answer
    ? (session: Session, ...given: Given) => Answer
    : Port[K];
};

/** A backend: the core methods, and any optional groups. */
export type BackendDefinition<Session> = WithSession<Session, BackendCore> & {
  readonly [G in keyof BackendGroups]?: WithSession<Session, BackendGroups[G]>;
} & Readonly<{
    images(session: Session): Images;
    /** A handler for a kind of change is the capability to make it. */
    changes: { readonly [K in ChangeKind]?: ChangeHandler<Session, K> };
  }>;

/** A function's only access to Bootwright, beside its session. */
export type FunctionContext = Readonly<{
  /** Calls a tool as any client does, with the same checks and the plugin's name in the history.
   * @throws ToolRefused with the refusal's code and details, PERMISSION_DENIED among them */
  call(tool: string, args?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** Writes one line to stderr. */
  log(message: string): void;
  /** Aborts at the function's time limit. */
  signal: AbortSignal;
}>;

/** A function that receives events. An event may arrive again, with the same id. After an error the event is delivered again
 * later. */
export type EventFunction<Session> = (
  session: Session,
  event: DomainEvent,
  context: FunctionContext,
) => Promise<void> | void;

/** `vm` is set for a request through a guest link: the link's VM. A link is valid for one successful call. */
export type FetchContext = FunctionContext & Readonly<{ vm?: string }>;

/** A plugin as its author writes it. */
export type PluginDefinition<Config = unknown, Session = unknown> = Readonly<{
  manifest: Manifest;
  /** The schema of its settings. Default: no settings. */
  config?: z.ZodType<Config>;
  /** Must be quick and open no remote connection. Connect at the first use. */
  open?(config: Config, context: PluginContext): Promise<Session>;
  close?(session: Session): Promise<void>;
  backend?: BackendDefinition<Session>;
  /** Called in the plugin's own worker, one event at a time, in order for each VM. */
  on?: { readonly [T in EventType]?: EventFunction<Session> };
  /** Answers requests below `/plugins/<name>/`, in the same worker. */
  fetch?(session: Session, request: Request, context: FetchContext): Promise<Response> | Response;
  /** Must be pure: it is called before the session is opened. */
  reach?(config: Config): Reach;
}>;

/** A complete definition: config, open and close are set. */
export type Plugin<Config = unknown, Session = unknown> = PluginDefinition<Config, Session> &
  Readonly<Required<Pick<PluginDefinition<Config, Session>, "config" | "open" | "close">>>;

/** A tool's refusal of a plugin's call. */
export class ToolRefused extends Error {
  override readonly name = "ToolRefused";
  readonly code: string;
  readonly details: unknown;
  constructor(code: string, message: string, details: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Checks the definition's types, and fills in defaults for config, open and close. */
export function definePlugin<Config = Readonly<Record<string, never>>, Session = undefined>(
  plugin: PluginDefinition<Config, Session>,
): Plugin<Config, Session> {
  return {
    config: z.strictObject({}) as unknown as z.ZodType<Config>,
    open: async () => undefined as Session,
    close: async () => undefined,
    ...plugin,
  };
}
