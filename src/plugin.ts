/** All that a plugin author imports. */
import type { z } from "zod";
import type { Change, ChangeKind } from "./domain/changes.ts";
import type { DomainEvent, EventType } from "./domain/event.ts";
import type { ApplyContext, GuestInfo, Hint, Host, Images, RunningEffect } from "./domain/port.ts";
import type { Vm } from "./domain/vm.ts";

export type { BootOrder, PresetOrder } from "./domain/boot.ts";
export { bootOrderOf, bootSequence, bootWith, presetOrders, rolesOf } from "./domain/boot.ts";
export type { Change, ChangeKind } from "./domain/changes.ts";
export { acceptedDefinition, canonicalText } from "./domain/definition.ts";
export type { DiskFact } from "./domain/disk.ts";
export { DomainError } from "./domain/error.ts";
export type { DomainEvent, EventType } from "./domain/event.ts";
export { definitionFor, targetsFor, type VmSpec } from "./domain/lifecycle.ts";
export type { IsoFact } from "./domain/media.ts";
export type { ApplyContext, GuestInfo, Hint, Host, Images, Occurrence, RunningEffect, Space } from "./domain/port.ts";
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
} from "./domain/vm.ts";
export { openImages } from "./images/images.ts";

/** Raised when a plugin written for the version before could break. */
export const PLUGIN_API = 1;

/** What a plugin's functions may ask for: tools that only look, that change, that lose something for good. */
export const permissions = ["vm:read", "vm:write", "vm:destroy"] as const;
export type Permission = (typeof permissions)[number];

export type Manifest = Readonly<{
  name: string;
  api: number;
  summary: string;
  /** Which tools its functions may call; none unless said. */
  permissions?: readonly Permission[];
}>;

export type PluginContext = Readonly<{
  /** The name of the connection that this session is for. */
  connection: string;
  /** Writes one line to stderr. */
  log: (message: string) => void;
  /** Ends when the host closes the plugin. */
  signal: AbortSignal;
  /** A keyed hash (HMAC-SHA-256), so that a fingerprint says nothing about what it was made of. */
  fingerprint: (meaning: string) => string;
  /** A directory of this user's for what can be found out again. */
  cacheDirectory: string;
  /** A directory of this user's for what has to stay: the definitions of VMs, where nobody else keeps them. */
  stateDirectory: string;
  /** What the settings say for every connection; a connection's own settings go before them. */
  defaults: Readonly<{ images?: string; isoDirectories?: readonly string[] }>;
}>;

export type ChangeHandler<Session, K extends ChangeKind> = Readonly<{
  /** What the change does to a VM that is running. */
  running: RunningEffect;
  apply(session: Session, vm: Vm | undefined, change: Change<K>, context: ApplyContext): Promise<void>;
}>;

/** What a plugin that runs VMs brings. The contract is `Backend` in the domain's ports, with the session first. */
export type BackendDefinition<Session> = Readonly<{
  list(session: Session, signal?: AbortSignal): Promise<Vm[]>;
  observe(session: Session, uuid: string, signal?: AbortSignal): Promise<Vm | undefined>;
  lookup(session: Session, name: string, signal?: AbortSignal): Promise<string | undefined>;
  host(session: Session, signal?: AbortSignal): Promise<Host>;
  backup(session: Session, uuid: string, signal?: AbortSignal): Promise<string>;
  restore(session: Session, uuid: string, backup: string, context: ApplyContext): Promise<void>;
  images(session: Session): Images;
  guest?(session: Session, uuid: string, signal?: AbortSignal): Promise<GuestInfo | undefined>;
  watch?(session: Session, tell: (hint: Hint) => void, signal: AbortSignal): Promise<void>;
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

export type Plugin<Config = unknown, Session = unknown> = Readonly<{
  manifest: Manifest;
  config: z.ZodType<Config>;
  /** Must be quick and touch nothing far away: a connection is made when it is first used. */
  open(config: Config, context: PluginContext): Promise<Session>;
  close(session: Session): Promise<void>;
  backend?: BackendDefinition<Session>;
  /** Called in a worker of the plugin's own, one event at a time, in order for each VM. */
  on?: { readonly [T in EventType]?: EventFunction<Session> };
  /** Answers requests below `/plugins/<name>/`, in the same worker. */
  fetch?(session: Session, request: Request, context: FetchContext): Promise<Response> | Response;
}>;

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

/** Checks the definition's types and returns it as it is. */
export function definePlugin<Config, Session>(plugin: Plugin<Config, Session>): Plugin<Config, Session> {
  return plugin;
}
