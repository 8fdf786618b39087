/** The paths of a connection's VMs: each VM has a folder with its definition; the files of one run are in its "run"
 * folder. */
import { join } from "node:path";
import { DomainError } from "../../src/plugin.ts";

export type VmPaths = Readonly<{
  /** The VM's own folder. */
  home: string;
  definition: string;
  /** UEFI variables and TPM state, which outlive runs. */
  variables: string;
  tpm: string;
  /** QEMU's events of the present or last run. The chardev appends ".in" and ".out". */
  events: string;
  eventLog: string;
  /** The folder of one run; each start makes it anew. */
  run: string;
  /** The start parameters, and the identity of the process among others with the same number. */
  started: string;
  process: string;
  /** Exists while a guest's reset ends the run. */
  resetEnds: string;
  pid: string;
  /** QMP's commands, for one session at a time. */
  qmp: string;
  vnc: string;
  agent: string;
  serial: string;
  tpmSocket: string;
}>;

/** The files of a VM's folder whose changes are events. */
export const DEFINITION = "definition.json";
export const EVENT_LOG = "events.out";

export function pathsOf(directory: string, uuid: string): VmPaths {
  const home = join(directory, uuid);
  const run = join(home, "run");
  return {
    home,
    definition: join(home, DEFINITION),
    variables: join(home, "vars.fd"),
    tpm: join(home, "tpm"),
    events: join(home, "events"),
    eventLog: join(home, EVENT_LOG),
    run,
    started: join(run, "started.json"),
    process: join(run, "process.json"),
    resetEnds: join(run, "reset-ends-run"),
    pid: join(run, "pid"),
    qmp: join(run, "qmp"),
    vnc: join(run, "vnc"),
    agent: join(run, "agent"),
    serial: join(run, "com1"),
    tpmSocket: join(run, "tpm"),
  };
}

/** The longest path that a unix socket can have, in bytes: the kernel's `sun_path`, without the zero at its end. */
const SOCKET_BYTES_MAX = process.platform === "linux" ? 107 : 103;

/** @throws DomainError PLUGIN_CONFIG_INVALID when sockets below this directory would have no room for their names */
export function requireRoom(directory: string, connection: string): void {
  const longest = pathsOf(directory, "00000000-0000-0000-0000-000000000000").agent;
  const over = Buffer.byteLength(longest) - SOCKET_BYTES_MAX;
  if (over <= 0) return;
  const issue = `vms: "${directory}" is ${over} bytes too long for the unix sockets below it; name a shorter one`;
  throw new DomainError("PLUGIN_CONFIG_INVALID", { plugin: "qemu", connection, issues: [issue] });
}

export const isUuid = (name: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(name);
