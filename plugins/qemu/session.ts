/** One connection: its directory of VMs, its images, and the calls to QEMU under way. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  DomainError,
  type HostAccess,
  type ImageHost,
  type Images,
  localHost,
  openImages,
  type PluginContext,
} from "../../src/plugin.ts";
import { type Definition, meaningOf, readDefinition } from "./definition.ts";
import { readText } from "./file.ts";
import { isListening, NotListening, openQmp, type Qmp, QmpLost, type QmpOptions } from "./qmp/client.ts";
import { pathsOf, requireRoom, type VmPaths } from "./vm-paths.ts";

export type QemuConfig = Readonly<{
  binary: string;
  vms?: string | undefined;
  images?: string | undefined;
  "iso-dirs"?: string[] | undefined;
}>;

export type Parsed = Readonly<{ definition: Definition; fingerprint: string }>;

export type QemuSession = Readonly<{
  context: PluginContext;
  /** QEMU is this program's child, so its host is this one. */
  host: HostAccess;
  images: Images;
  /** The program that runs a VM. */
  binary: string;
  directory: string;
  pathsOf: (uuid: string) => VmPaths;
  /** Parses a definition; the same text is parsed once. */
  parse: (text: string) => Parsed;
  /** Runs the work with a QMP session to the VM's process, after this process's earlier calls to it.
   * @throws NotListening; DomainError BACKEND_UNAVAILABLE; QmpRefused */
  withQmp: <T>(uuid: string, options: QmpOptions, work: (qmp: Qmp) => Promise<T>) => Promise<T>;
  closing: AbortController;
}>;

const PARSED_MAX = 4_096;

/** @throws DomainError PLUGIN_CONFIG_INVALID */
export function openSession(config: QemuConfig, context: PluginContext, host: ImageHost = localHost): QemuSession {
  const directory = resolve(config.vms ?? join(ownDirectory(context, "vms"), "qemu", context.connection));
  requireRoom(directory, context.connection);
  const imageDirectory = config.images ?? context.defaults.images ?? ownImages(context);
  const isoDirectories = config["iso-dirs"] ?? context.defaults.isoDirectories ?? [imageDirectory];
  const closing = new AbortController();
  const parsed = new Map<string, Parsed>();
  const queues = new Map<string, Promise<unknown>>();

  const parse = (text: string): Parsed => {
    const known = parsed.get(text);
    if (known) return known;
    if (parsed.size >= PARSED_MAX) parsed.delete(parsed.keys().next().value!);
    const definition = readDefinition(text);
    const read = { definition, fingerprint: context.fingerprint(meaningOf(definition)) };
    parsed.set(text, read);
    return read;
  };

  const withQmp: QemuSession["withQmp"] = async (uuid, options, work) => {
    const before = queues.get(uuid) ?? Promise.resolve();
    const mine = before.then(() => calling(context.connection, pathsOf(directory, uuid), options, work));
    const tail = mine.catch(() => undefined);
    queues.set(uuid, tail);
    void tail.then(() => queues.get(uuid) === tail && queues.delete(uuid));
    return mine;
  };

  return {
    context,
    host,
    // QEMU runs as this user, so it needs files that this user may read.
    images: openImages({ host, imageDirectory, isoDirectories, ownFile: true, signal: context.signal }),
    binary: config.binary,
    directory,
    pathsOf: (uuid) => pathsOf(directory, uuid),
    parse,
    withQmp,
    closing,
  };
}

/** Directory of persistent files: in the state directory, unless the settings name another.
 * @throws DomainError PLUGIN_CONFIG_INVALID */
function ownDirectory({ stateDirectory, connection }: PluginContext, setting: string): string {
  if (stateDirectory !== undefined) return stateDirectory;
  const issues = [`${setting}: name a directory`];
  throw new DomainError("PLUGIN_CONFIG_INVALID", { plugin: "qemu", connection, issues });
}

/** The image directory beside the definitions, for settings that name none: libvirt's belongs to root. */
function ownImages(context: PluginContext): string {
  const directory = join(ownDirectory(context, "images"), "images");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** Whether a command changes nothing, so that a missing answer leaves nothing unknown. */
const isLook = (command: string) => command.startsWith("query-") || command === "qmp_capabilities";

async function calling<T>(
  connection: string,
  paths: VmPaths,
  options: QmpOptions,
  work: (qmp: Qmp) => Promise<T>,
): Promise<T> {
  let qmp: Qmp | undefined;
  try {
    qmp = await openQmp(paths.qmp, options);
    return await work(qmp);
  } catch (error) {
    if (!(error instanceof QmpLost)) throw error;
    // A process that has ended takes its session with it.
    if ((error.sent === undefined || isLook(error.sent)) && !(await isListening(paths.qmp)))
      throw new NotListening(`no process listens at ${paths.qmp}`, { cause: error });
    const unanswered = error.sent !== undefined && !isLook(error.sent);
    // A user who has to end the process needs its number.
    const pid = Number(await readText(paths.pid)) || "unknown";
    throw new DomainError(
      "BACKEND_UNAVAILABLE",
      { connection, reason: `QEMU (process ${pid}): ${error.message}` },
      { cause: error, unanswered },
    );
  } finally {
    qmp?.close();
  }
}

/** @throws DomainError BACKEND_UNAVAILABLE when the session is closed; the signal's reason */
export function requireOpen(session: QemuSession, signal: AbortSignal | undefined): void {
  signal?.throwIfAborted();
  if (session.closing.signal.aborted || session.context.signal.aborted)
    throw new DomainError("BACKEND_UNAVAILABLE", { connection: session.context.connection, reason: "it was closed" });
}
