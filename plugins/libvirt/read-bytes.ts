/** Counts the bytes that guests have read from their disks and CD-ROMs. Only QEMU knows them, so an observation
 * continues without the counters of a hung QEMU. Each query to a hung QEMU holds a thread of the daemon and a place on
 * the connection; so each VM has one query at a time, and after an unanswered one only queries that do not wait. */
import {
  CallInterrupted,
  type CallOptions,
  DOMAIN_STATS,
  type Domain,
  type Libvirt,
  type Parameters,
  STATS_FLAG,
} from "./client/libvirt.ts";

/** Time limit of a query in milliseconds; a working QEMU answers faster. */
const ANSWER_LIMIT_MS = 2_000;

export type ReadBytes = Readonly<Record<string, number>>;

/** Bytes by target, since this run began; undefined if QEMU does not answer or the domain has just ended. */
export function openReadBytes(libvirt: Libvirt) {
  const silent = new Set<string>();
  const asked = new Map<string, Promise<unknown>>();

  async function ask(domain: Domain, options: CallOptions): Promise<ReadBytes | undefined> {
    const flags = silent.has(domain.uuid) ? STATS_FLAG.nowait : 0;
    const each = { ...options, timeoutMs: ANSWER_LIMIT_MS };
    try {
      const [answer] = await libvirt.connectGetAllDomainStats([domain], DOMAIN_STATS.block, flags, each);
      const read = readBytesIn(answer?.stats ?? {});
      // A query that does not wait is skipped while another job runs on the VM.
      if (flags && Object.keys(read).length === 0) return undefined;
      silent.delete(domain.uuid);
      return read;
    } catch (error) {
      if (error instanceof CallInterrupted && error.sent) silent.add(domain.uuid);
      return undefined;
    }
  }

  return async (domain: Domain, options: CallOptions): Promise<ReadBytes | undefined> => {
    const answer = (asked.get(domain.uuid) ?? Promise.resolve()).then(() => ask(domain, options));
    asked.set(domain.uuid, answer);
    try {
      return await answer;
    } finally {
      if (asked.get(domain.uuid) === answer) asked.delete(domain.uuid);
    }
  };
}

/** Devices without a medium have counters as well. */
function readBytesIn(stats: Parameters): ReadBytes {
  const devices = Array.from({ length: Number(stats["block.count"] ?? 0) }, (_, index) => `block.${index}`);
  return Object.fromEntries(
    devices.flatMap((device): [string, number][] => {
      const bytes = stats[`${device}.rd.bytes`];
      return bytes === undefined ? [] : [[String(stats[`${device}.name`]), Number(bytes)]];
    }),
  );
}
