/** All that a plugin author imports. */
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

/** Raised when a plugin written for the version before could break. */
export const PLUGIN_API = 1;

/** What a plugin's functions may ask for: tools that only look, that change, that lose something for good. */
export const permissions = scopes;
export type Permission = Scope;

export type Manifest = Readonly<{
  name: string;
  api: number;
  summary: string;
  /** Which tools its functions may call; none unless said. */
  permissions?: readonly Permission[];
  /** The time that one call of a function may take, in milliseconds: 10,000 unless said, 60,000 at most. */
  limitMs?: number;
}>;

/** What a plugin's functions need of the world. Deno holds them to it, as far as the server itself may; Node to the files,
 * and from Node 25 on they have no network where `net` names none. */
export type Reach = Readonly<{
  /** `host` or `host:port`. */
  net?: readonly string[];
  /** Absolute paths of files and directories beside the plugin's own. */
  read?: readonly string[];
  /** As `read`, and may be written to as well. */
  write?: readonly string[];
}>;

export type PluginContext = Readonly<{
  /** The name of the connection that this session is for; for functions, the name that the plugin goes by here. */
  connection: string;
  /** Writes one line to stderr. */
  log: (message: string) => void;
  /** Ends when the host closes the plugin. */
  signal: AbortSignal;
  /** A keyed hash (HMAC-SHA-256), so that a fingerprint says nothing about what it was made of. */
  fingerprint: (meaning: string) => string;
  /** A directory of this user's for what can be found out again. */
  cacheDirectory: string;
  /** A directory of this user's for what has to stay: the definitions of VMs, where nobody else keeps them. Functions have
   * none. */
  stateDirectory?: string;
  /** What the settings say for every connection; a connection's own settings go before them. */
  defaults: Readonly<{ images?: string; isoDirectories?: readonly string[] }>;
}>;

export type ChangeHandler<Session, K extends ChangeKind> = Readonly<{
  /** What the change does to a VM that is running. */
  running: RunningEffect;
  apply(session: Session, vm: Vm | undefined, change: Change<K>, context: ApplyContext): Promise<void>;
}>;

/** The methods of a port as a plugin has them: with the session first. */
export type WithSession<Session, Port> = {
  readonly [K in keyof Port]: Port[K] extends (...given: infer Given) => infer Answer
    ? (session: Session, ...given: Given) => Answer
    : Port[K];
};

/** What a plugin that runs VMs brings: the core, and the groups that it has. */
export type BackendDefinition<Session> = WithSession<Session, BackendCore> & {
  readonly [G in keyof BackendGroups]?: WithSession<Session, BackendGroups[G]>;
} & Readonly<{
    images(session: Session): Images;
    /** Having a handler is the capability. */
    changes: { readonly [K in ChangeKind]?: ChangeHandler<Session, K> };
  }>;

/** What a function gets beside its session: all that it can reach of Bootwright. */
export type FunctionContext = Readonly<{
  /** Calls a tool as any client does, with the same checks and the plugin's name in the history.
   * @throws ToolRefused with the refusal's code and details, PERMISSION_DENIED among them */
  call(tool: string, args?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** Writes one line to stderr. */
  log(message: string): void;
  /** Ends when the function's time is up. */
  signal: AbortSignal;
}>;

/** A function that is told of events. It may be told of one again, which then has the same id. What it throws has it
 * called again later. */
export type EventFunction<Session> = (
  session: Session,
  event: DomainEvent,
  context: FunctionContext,
) => Promise<void> | void;

/** What a request was let in by: a link made for one VM, good for one call that succeeds. */
export type FetchContext = FunctionContext & Readonly<{ vm?: string }>;

/** What an author writes. */
export type PluginDefinition<Config = unknown, Session = unknown> = Readonly<{
  manifest: Manifest;
  /** What the settings may say; nothing unless said. */
  config?: z.ZodType<Config>;
  /** Must be quick and touch nothing far away: a connection is made when it is first used. */
  open?(config: Config, context: PluginContext): Promise<Session>;
  close?(session: Session): Promise<void>;
  backend?: BackendDefinition<Session>;
  /** Called in a worker of the plugin's own, one event at a time, in order for each VM. */
  on?: { readonly [T in EventType]?: EventFunction<Session> };
  /** Answers requests below `/plugins/<name>/`, in the same worker. */
  fetch?(session: Session, request: Request, context: FetchContext): Promise<Response> | Response;
  /** Must be pure: it is asked before anything is opened. */
  reach?(config: Config): Reach;
}>;

/** A definition with nothing left out that every plugin has. */
export type Plugin<Config = unknown, Session = unknown> = PluginDefinition<Config, Session> &
  Readonly<Required<Pick<PluginDefinition<Config, Session>, "config" | "open" | "close">>>;

/** What a tool refused a plugin's call with. */
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

/** Checks the definition's types, and completes one that takes no settings or keeps nothing open. */
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
