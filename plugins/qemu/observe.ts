/** Observes VMs: the definition in its file, and the running machine by QMP. */
import { existsSync } from "node:fs";
import type { Drive, Host, Power, StopReason, Vm } from "../../src/plugin.ts";
import { asDomain } from "./definition.ts";
import { definitionOf, definitionsIn, uuidsIn } from "./definitions.ts";
import { lastEvents } from "./event-log.ts";
import { type Started, startedOf } from "./process.ts";
import { NotListening, type Qmp } from "./qmp/client.ts";
import { type Parsed, type QemuSession, requireOpen } from "./session.ts";
import { isUuid } from "./vm-paths.ts";

export async function observeVm(session: QemuSession, uuid: string, signal?: AbortSignal): Promise<Vm | undefined> {
  requireOpen(session, signal);
  const [next, running] = [await definitionOf(session, uuid), await runOf(session, uuid, signal)];
  return vmFrom(session, uuid, next, running);
}

export async function listVms(session: QemuSession, signal?: AbortSignal): Promise<Vm[]> {
  requireOpen(session, signal);
  const vms = await Promise.all(
    (await uuidsIn(session)).map(async (uuid) => {
      try {
        const next = await definitionOf(session, uuid);
        const running = await runOf(session, uuid, signal).catch((error: Error) => withoutAnswer(session, uuid, error));
        return await vmFrom(session, uuid, next, running);
      } catch (error) {
        signal?.throwIfAborted();
        // One VM that cannot be observed must not hide all the others.
        session.context.log(`cannot observe VM ${uuid}: ${(error as Error).message}`);
        return undefined;
      }
    }),
  );
  return vms.filter((vm) => vm !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function lookup(session: QemuSession, name: string, signal?: AbortSignal): Promise<string | undefined> {
  requireOpen(session, signal);
  return (await definitionsIn(session)).find(({ definition }) => definition.name === name)?.definition.uuid;
}

export const hostOf = async (session: QemuSession, signal?: AbortSignal): Promise<Host | undefined> => {
  requireOpen(session, signal);
  return session.host.resources();
};

type Medium = Pick<Drive, "path" | "tray">;
type Run = Readonly<{
  started: Started;
  power: Power;
  reason?: string;
  media: ReadonlyMap<string, Medium>;
  agent: boolean;
  resetEnds: boolean;
  readBytes: Readonly<Record<string, number>>;
}>;

/** The present run; undefined when the VM is off.
 * @throws DomainError BACKEND_UNAVAILABLE when its process exists and does not answer */
async function runOf(session: QemuSession, uuid: string, signal?: AbortSignal): Promise<Run | undefined> {
  const started = await startedOf(session, uuid);
  if (!started) return undefined;
  try {
    return await session.withQmp(uuid, { signal }, async (qmp) => {
      const [{ status }, blocks, stats, agent] = await Promise.all([
        qmp.execute<{ status: string }>("query-status", undefined, signal),
        queryBlock(qmp, signal),
        qmp.execute<BlockStats[]>("query-blockstats", undefined, signal),
        agentIsOpen(qmp, signal),
      ]);
      const reason = reasonOf(status);
      return {
        started,
        power: status === "running" ? "running" : "paused",
        ...(reason !== undefined && { reason }),
        media: new Map(blocks.map((block) => [deviceOf(block.qdev), mediumOf(block)])),
        agent,
        resetEnds: existsSync(session.pathsOf(uuid).resetEnds),
        readBytes: readBytesOf(started, stats),
      } satisfies Run;
    });
  } catch (error) {
    if (error instanceof NotListening) return undefined;
    throw error;
  }
}

/** Counts only the VM's own disks and drives: QEMU counts its firmware's files, too. */
function readBytesOf({ definition: { disks, drives } }: Started, stats: readonly BlockStats[]): Record<string, number> {
  const targets = new Set([...disks, ...drives].map(({ target }) => target));
  const read = stats.map(({ qdev, stats: { rd_bytes } }) => [deviceOf(qdev), rd_bytes] as const);
  return Object.fromEntries(read.filter(([device]) => targets.has(device)));
}

/** Whether the guest's agent has opened its channel; false for a VM that is off.
 * @throws DomainError BACKEND_UNAVAILABLE */
export async function agentIsThere(session: QemuSession, uuid: string, signal?: AbortSignal): Promise<boolean> {
  try {
    return isUuid(uuid) && (await session.withQmp(uuid, { signal }, (qmp) => agentIsOpen(qmp, signal)));
  } catch (error) {
    if (error instanceof NotListening) return false;
    throw error;
  }
}

const agentIsOpen = async (qmp: Qmp, signal?: AbortSignal): Promise<boolean> =>
  (await qmp.execute<Channel[]>("query-chardev", undefined, signal)).some(
    (channel) => channel.label === "agent" && channel["frontend-open"],
  );

/** Describes a machine whose process does not answer; a list does not wait for it. */
async function withoutAnswer(session: QemuSession, uuid: string, error: Error): Promise<Run | undefined> {
  session.context.log(`VM ${uuid} does not answer: ${error.message}`);
  const started = await startedOf(session, uuid);
  return (
    started && {
      started,
      power: "running",
      reason: "no_answer",
      media: new Map(),
      agent: false,
      resetEnds: false,
      readBytes: {},
    }
  );
}

async function vmFrom(
  session: QemuSession,
  uuid: string,
  next: Parsed | undefined,
  run: Run | undefined,
): Promise<Vm | undefined> {
  // A running VM whose definition was removed exists until it is off.
  const text = next ?? (run && session.parse(JSON.stringify(run.started.definition)));
  if (!text) return undefined;
  const { definition, fingerprint } = text;
  const stopReason = run ? undefined : await stopReasonOf(session, uuid);
  const reason = run ? run.reason : stopReason === "crashed" ? stopReason : undefined;
  return {
    uuid,
    name: definition.name,
    power: run?.power ?? "off",
    ...(reason !== undefined && { powerReason: reason }),
    ...(stopReason && { stopReason }),
    persistent: next !== undefined,
    savedState: false,
    ...(run && { run: run.started.run, live: liveOf(run), readBytes: run.readBytes, agent: run.agent }),
    next: asDomain(definition),
    accelerator: (run?.started.definition ?? definition).accelerator,
    fingerprint,
    ...(definition.claim && { claim: definition.claim }),
  };
}

/** The definition that the process was started with, with the media that are in its drives now. */
function liveOf({ started, media, resetEnds }: Run): NonNullable<Vm["live"]> {
  const live = asDomain(started.definition);
  const drives = live.drives.map(({ path, ...drive }): Drive => {
    const medium = media.get(drive.target) ?? { tray: "closed", ...(path !== undefined && { path }) };
    return { ...drive, ...medium };
  });
  return { ...live, drives, ...(resetEnds && { resetEndsRun: true }) };
}

/** How the last run ended. QEMU logs why it ends, unless it is killed or its host goes down. A VM that never ran has no
 * reason. */
async function stopReasonOf(session: QemuSession, uuid: string): Promise<StopReason | undefined> {
  const events = await lastEvents(session.pathsOf(uuid).eventLog);
  const last = events?.findLast(({ event }) => event === "SHUTDOWN");
  if (!last) return events && "crashed";
  if (last.data.reason === "guest-panic") return "crashed";
  return last.data.guest === true ? "shutdown" : "power_cut";
}

function reasonOf(status: string): string | undefined {
  if (status === "io-error") return "io_error";
  return ["guest-panicked", "internal-error"].includes(status) ? "crashed" : undefined;
}

export type Block = Readonly<{
  qdev?: string;
  locked?: boolean;
  tray_open?: boolean;
  inserted?: Readonly<{ file: string; "node-name"?: string; image: Readonly<{ "virtual-size": number }> }>;
}>;
type Channel = Readonly<{ label: string; "frontend-open": boolean }>;
type BlockStats = Readonly<{ qdev?: string; stats: Readonly<{ rd_bytes: number }> }>;

export const queryBlock = (qmp: Qmp, signal?: AbortSignal) => qmp.execute<Block[]>("query-block", undefined, signal);

/** The target of a device, which is its id. QEMU names a device by its id, or by a path with the id in it if the disk
 * is a child of the device with that id. */
export const deviceOf = (qdev = ""): string => /^\/machine\/peripheral\/([^/]+)/.exec(qdev)?.[1] ?? qdev;

const mediumOf = ({ inserted, tray_open }: Block): Medium => ({
  ...(inserted && { path: inserted.file }),
  tray: tray_open ? "open" : "closed",
});
