/** The state of a memory connection, and a VM in it as the domain sees it. */
import {
  type ClaimTag,
  canonicalJson,
  type Hint,
  type Power,
  type StopReason,
  type Vm,
  type VmDefinition,
} from "../../src/plugin.ts";
import type { DiskSeed, Guest, IsoSeed } from "./config.ts";

/** `version` is raised with every write, so that a replaced file is distinguished from the previous one. */
export type IsoFile = IsoSeed & Readonly<{ kind: "iso"; version: number }>;
export type DiskFile = DiskSeed & Readonly<{ kind: "disk"; version: number }>;

/** One power cycle. */
export type Run = {
  readonly id: string;
  /** What the run was started for; an installer installs only when it was started to. */
  readonly purpose: string;
  live: VmDefinition;
  readBytes: Record<string, number>;
  /** What the firmware booted last. */
  booted: Booted;
  /** Targets of CD-ROM drives whose tray the guest has locked. */
  locked: Set<string>;
  /** When the installer that is running will be done. */
  installedAtMs?: number;
  installations: number;
  /** The guest's agent has opened its channel. */
  agent: boolean;
  /** When it will. */
  agentAtMs?: number;
};

/** `nothing`: the firmware found nothing to boot and waits. `hung`: it jumped into code that hangs. */
export type Booted = Readonly<{ what: "system" | "installer" | "live" | "hung" | "nothing"; target?: string }>;

export type Machine = {
  readonly uuid: string;
  name: string;
  persistent: boolean;
  next: VmDefinition;
  claim?: ClaimTag;
  guest: Guest;
  /** The definition that a saved state would resume with. */
  saved?: VmDefinition;
  paused?: string;
  /** How the last run ended. */
  stopReason?: StopReason;
  run?: Run;
};

export type Session = {
  readonly connection: string;
  readonly imageDirectory: string;
  readonly isoDirectories: readonly string[];
  readonly resources: Readonly<{ memoryBytes: number; cpus: number }>;
  readonly spaceBytes: number;
  /** How the guests of new VMs behave. */
  readonly guest: Guest;
  readonly machines: Map<string, Machine>;
  readonly files: Map<string, IsoFile | DiskFile>;
  /** Other names of files: what each leads to. */
  readonly links: Map<string, string>;
  readonly watchers: Set<(hint: Hint) => void>;
  readonly fingerprint: (meaning: string) => string;
  readonly closing: AbortController;
  /** Ends when this session is closed, or its host ends. */
  readonly signal: AbortSignal;
  /** Numbers runs and versions of files. */
  count: number;
  /** The lead of the guests' clock, so that tests need not wait for an installer. */
  aheadMs: number;
};

export const nowOf = (session: Session): number => Date.now() + session.aheadMs;

export const powerOf = ({ run, paused }: Machine): Power =>
  !run ? "off" : paused === undefined ? "running" : "paused";

/** Leaves out the claim tag, so that writing the tag does not look like an edit. */
export const fingerprintOf = (session: Session, { uuid, name, next }: Machine): string =>
  session.fingerprint(canonicalJson({ uuid, name, next }));

export function viewOf(session: Session, machine: Machine): Vm {
  const { uuid, name, persistent, next, claim, saved, paused, stopReason, run } = machine;
  return {
    uuid,
    name,
    power: powerOf(machine),
    ...(run && paused !== undefined && { powerReason: paused }),
    persistent,
    savedState: saved !== undefined,
    ...(!run && stopReason && { stopReason }),
    ...(run && { run: run.id, live: run.live, readBytes: { ...run.readBytes }, agent: run.agent }),
    next,
    accelerator: "none",
    fingerprint: fingerprintOf(session, machine),
    ...(claim && { claim }),
  };
}
