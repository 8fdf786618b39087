/** Noticing that a VM's images are about to fill their file system before a write fails: a threshold in each image, which
 * libvirt tells of once when a guest writes beyond it. */
import { stat } from "node:fs/promises";
import type { Hint } from "../../src/plugin.ts";
import { ConnectFailed, ConnectionLost, type Domain, type DomainEvent, LIST_DOMAINS } from "./client/libvirt.ts";
import { isLibvirtError, type LibvirtSession, runOf } from "./session.ts";

const MIB = 1024 ** 2;
const RESERVE_BYTES = 1024 * MIB;
const STEP_MIN_BYTES = MIB;

type Watched = {
  readonly domain: Domain;
  readonly run: string;
  readonly target: string;
  readonly path: string;
  /** File systems are told apart by their size. */
  fileSystem: number;
  /** The threshold that was passed last. It is told of twice, for the disk and for its image (`vda`, `vda[2]`). */
  passed?: bigint;
};

/** What is to stay free: a gibibyte or a twentieth, but of a small file system no more than a quarter. */
const reserveOf = (totalBytes: number): number => Math.min(Math.max(RESERVE_BYTES, totalBytes / 20), totalBytes / 4);

/** By how much an image may grow until somebody looks at the space again; 0: there is no point in looking any more. While
 * there is more free than the reserve, its share of that, since others grow as well; below it, half of what is left. */
export function stepFor(freeBytes: number, totalBytes: number, sharers: number): number {
  const room = freeBytes - reserveOf(totalBytes);
  if (room > 0) return Math.floor(Math.max(room / Math.max(1, sharers), STEP_MIN_BYTES));
  return freeBytes / 2 < STEP_MIN_BYTES ? 0 : Math.floor(freeBytes / 2);
}

/** Arms a threshold in every writable image file of every running VM, and tells `space_low` when the host has no more
 * than its reserve: at once where that is so already. Sequential and aside, so that one hung QEMU delays only this. */
export function watchSpace(session: LibvirtSession, tell: (hint: Hint) => void, signal: AbortSignal) {
  const { aside, context } = session;
  const watched = new Map<string, Watched>();
  const keyOf = (uuid: string, target: string) => `${uuid}/${target}`;
  let logged = false;
  let last: Promise<void> = Promise.resolve();

  const later = (work: () => Promise<void>) => {
    last = last.then(async () => {
      if (signal.aborted) return;
      await work().catch((error: unknown) => {
        // A domain that has ended meanwhile refuses; a daemon that is gone ends the watch as a whole.
        const ended = isLibvirtError(error, "operationInvalid") || isLibvirtError(error, "noDomain");
        const gone = error instanceof ConnectFailed || error instanceof ConnectionLost;
        if (signal.aborted || logged || ended || gone) return;
        logged = true;
        context.log(`cannot watch the space of all images: ${error instanceof Error ? error.message : String(error)}`);
      });
    });
  };

  async function arm(one: Watched, writtenBytes = 0): Promise<void> {
    const { domain, run, target, path } = one;
    const { freeBytes, totalBytes } = await session.images.space(path);
    one.fileSystem = totalBytes;
    const sharers = [...watched.values()].filter(({ fileSystem }) => fileSystem === totalBytes).length;
    if (signal.aborted) return;
    if (freeBytes <= reserveOf(totalBytes))
      tell({ uuid: domain.uuid, occurrence: { type: "space_low", run, target, freeBytes } });
    const step = stepFor(freeBytes, totalBytes, sharers);
    if (step === 0) return;
    // A threshold is an offset in the file. Where an image has holes its blocks say less than its length, and passing
    // the threshold early only has the space looked at once more.
    const { blocks } = await stat(path);
    const threshold = BigInt(Math.max(blocks * 512, writtenBytes) + step);
    await aside.domainSetBlockThreshold(domain, target, threshold, { signal });
  }

  async function begin(domain: Domain): Promise<void> {
    const run = runOf(session, domain);
    if (run === undefined) return;
    const { definition } = session.parse(await aside.domainGetXmlDesc(domain, 0, { signal }));
    for (const { target, path, readOnly } of definition.disks) {
      const key = keyOf(domain.uuid, target);
      if (path === undefined || readOnly || watched.get(key)?.run === run) continue;
      if (!(await isFile(session, path))) continue;
      const one: Watched = { domain, run, target, path, fileSystem: 0 };
      watched.set(key, one);
      await arm(one);
    }
  }

  return {
    /** Begins with every VM that is running now. */
    all: (): void =>
      later(async () => {
        const running = await aside.connectListAllDomains(LIST_DOMAINS.active, { signal });
        for (const domain of running) later(() => begin(domain));
      }),
    started: (domain: Domain): void => later(() => begin(domain)),
    stopped({ uuid }: Domain): void {
      for (const key of watched.keys()) if (key.startsWith(`${uuid}/`)) watched.delete(key);
    },
    passed({ domain, device, thresholdBytes, excessBytes }: DomainEvent & { kind: "blockThreshold" }): void {
      const one = watched.get(keyOf(domain.uuid, device.replace(/\[\d+\]$/, "")));
      if (!one || one.passed === thresholdBytes) return;
      one.passed = thresholdBytes;
      later(() => arm(one, Number(thresholdBytes + excessBytes)));
    },
  };
}

/** Asks for the space first: unlike a look at the file, that gives up where the file system does not answer. */
async function isFile({ images }: LibvirtSession, path: string): Promise<boolean> {
  await images.space(path);
  return (await stat(path)).isFile();
}
