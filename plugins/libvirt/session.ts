/** One connection to a libvirt daemon with its host, its images, its parsed definitions, and the check before a
 * write. */
import { homedir } from "node:os";
import { join } from "node:path";
import {
  DomainError,
  type HostAccess,
  type ImageHost,
  type Images,
  localHost,
  openImages,
  type PluginContext,
  type Vm,
} from "../../src/plugin.ts";
import {
  AuthenticationRefused,
  CallInterrupted,
  ConnectFailed,
  ConnectionLost,
  DOMAIN_XML,
  type Domain,
  ERROR_CODE,
  type Libvirt,
  LibvirtError,
  openLibvirt,
  ProtocolError,
} from "./client/libvirt.ts";
import { meaningOf, type ParsedDomain, parseDomain } from "./domain-xml.ts";
import { openReadBytes } from "./read-bytes.ts";

export type LibvirtConfig = Readonly<{ uri: string; images?: string | undefined; "iso-dirs"?: string[] | undefined }>;
export type Definition = ParsedDomain & Readonly<{ fingerprint: string }>;

export type LibvirtSession = Readonly<{
  libvirt: Libvirt;
  /** A second connection, for calls that wait for a guest or its QEMU. An abandoned call holds its place until it is
   * answered, and four such calls end a connection. */
  slowCalls: Libvirt;
  readBytes: ReturnType<typeof openReadBytes>;
  /** The host that the daemon runs on. The daemon is reached over a unix socket, so it is this host. */
  host: HostAccess;
  images: Images;
  context: PluginContext;
  /** Parses a definition; the same text is parsed once. */
  parse: (xml: string) => Definition;
  /** Identifies this boot of the host: libvirt's domain ids restart with each boot. */
  hostBoot: string;
}>;

/** Time limit of a call, in milliseconds. A call takes microseconds; one without an answer by then never gets one. */
const CALL_LIMIT_MS = 60_000;
/** Time limit of a call to a guest's agent, in milliseconds: it examines its disks, on a machine that may be busy. */
const GUEST_CALL_LIMIT_MS = 20_000;
const PARSED_MAX = 4_096;
/** QEMU's users under libvirt on the distributions. */
const HYPERVISOR_USERS = ["libvirt-qemu", "qemu"];

export type SessionOptions = Readonly<{ callLimitMs?: number; host?: ImageHost }>;

export async function openSession(
  config: LibvirtConfig,
  context: PluginContext,
  { callLimitMs = CALL_LIMIT_MS, host = localHost }: SessionOptions = {},
): Promise<LibvirtSession> {
  const own = config.uri.includes("/session");
  const imageDirectory =
    config.images ??
    context.defaults.images ??
    (own ? join(homedir(), ".local/share/libvirt/images") : "/var/lib/libvirt/images");
  const isoDirectories = config["iso-dirs"] ?? context.defaults.isoDirectories ?? [imageDirectory];
  const [reader, bootId] = await Promise.all([own ? undefined : host.user(HYPERVISOR_USERS), host.bootId()]);
  let libvirt: Libvirt;
  let slowCalls: Libvirt;
  try {
    libvirt = openLibvirt({ uri: config.uri, timeoutMs: callLimitMs, log: (message) => context.log(message) });
    slowCalls = openLibvirt({ uri: config.uri, timeoutMs: Math.min(callLimitMs, GUEST_CALL_LIMIT_MS) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError("PLUGIN_CONFIG_INVALID", {
      plugin: "libvirt",
      connection: context.connection,
      issues: [`uri: ${reason}`],
    });
  }
  const parsed = new Map<string, Definition>();
  return {
    libvirt,
    slowCalls,
    readBytes: openReadBytes(slowCalls),
    context,
    host,
    images: openImages({ host, imageDirectory, isoDirectories, signal: context.signal, ...(reader && { reader }) }),
    hostBoot: bootId?.slice(0, 8) ?? "host",
    parse(xml) {
      const known = parsed.get(xml);
      if (known) return known;
      if (parsed.size >= PARSED_MAX) parsed.delete(parsed.keys().next().value!);
      const definition = { ...parseDomain(xml), fingerprint: context.fingerprint(meaningOf(xml)) };
      parsed.set(xml, definition);
      return definition;
    },
  };
}

/** Runs calls to the daemon.
 * @throws DomainError BACKEND_UNAVAILABLE when the daemon cannot be reached or does not answer; LibvirtError when it
 * refuses */
export async function mapConnectionErrors<T>({ context }: LibvirtSession, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const silent = [ConnectFailed, AuthenticationRefused, ConnectionLost, CallInterrupted, ProtocolError].some(
      (kind) => error instanceof kind,
    );
    if (!silent) throw error;
    throw new DomainError(
      "BACKEND_UNAVAILABLE",
      { connection: context.connection, reason: (error as Error).message },
      { cause: error, unanswered: mayStillHappen(error) },
    );
  }
}

/** Whether the daemon has received a call that changes something: it then runs the call even if no caller waits. */
const mayStillHappen = (error: unknown): boolean =>
  (error instanceof ConnectionLost || error instanceof CallInterrupted) &&
  error.sent &&
  !/^(AUTH|CONNECT|DOMAIN_(BLOCK_STATS|GET|HAS|IS|LOOKUP))_/.test(`${error.procedure}_`);

export const isLibvirtError = (error: unknown, code: keyof typeof ERROR_CODE): error is LibvirtError =>
  error instanceof LibvirtError && error.code === ERROR_CODE[code];

/** @throws LibvirtError with noDomain when there is none */
export const domainOf = ({ libvirt }: LibvirtSession, uuid: string, signal?: AbortSignal): Promise<Domain> =>
  libvirt.domainLookupByUuid(uuid, options(signal));

/** Identifies one power cycle, across boots of the host, too; absent for a domain that is off. */
export const runOf = ({ hostBoot }: LibvirtSession, { id }: Domain): string | undefined =>
  id === undefined ? undefined : `${hostBoot}:${id}`;

/** The next definition, passwords included: the only text that may be defined again. */
export const inactiveXml = async (session: LibvirtSession, uuid: string, signal?: AbortSignal): Promise<string> =>
  (await inactive(session, uuid, signal)).xml;

const inactive = (session: LibvirtSession, uuid: string, signal?: AbortSignal) =>
  mapConnectionErrors(session, async () => {
    const domain = await domainOf(session, uuid, signal);
    const flags = DOMAIN_XML.inactive | DOMAIN_XML.secure;
    return { domain, xml: await session.libvirt.domainGetXmlDesc(domain, flags, options(signal)) };
  });

/** The domain and its next definition right before a write, which must be the ones that the operation was decided on.
 * @throws DomainError VM_CHANGED_MEANWHILE */
export async function requireUnchangedDomain(
  session: LibvirtSession,
  uuid: string,
  { expect, signal }: { expect?: string; signal: AbortSignal },
): Promise<{ domain: Domain; xml: string }> {
  const { domain, xml } = await inactive(session, uuid, signal);
  const { fingerprint, name } = session.parse(xml);
  if (expect !== undefined && fingerprint !== expect) throw new DomainError("VM_CHANGED_MEANWHILE", { vm: name });
  return { domain, xml };
}

/** Checks before a write that needs no definition. A VM that does not exist yet passes.
 * @throws DomainError VM_CHANGED_MEANWHILE */
export async function requireUnchanged(
  session: LibvirtSession,
  vm: Vm | undefined,
  context: { expect?: string; signal: AbortSignal },
): Promise<void> {
  context.signal.throwIfAborted();
  if (vm && context.expect !== undefined) await requireUnchangedDomain(session, vm.uuid, context);
}

export const options = (signal?: AbortSignal): { signal?: AbortSignal } => (signal ? { signal } : {});
