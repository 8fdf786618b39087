/** Reports that a VM's images are about to fill their file system, before a write fails. Each image has a threshold;
 * the hypervisor reports the first write beyond it. */
import type { Hint } from "../domain/ports/backend-groups.ts";
import type { HostAccess } from "../domain/ports/host-access.ts";

const MIB = 1024 ** 2;
const RESERVE_BYTES = 1024 * MIB;
const STEP_MIN_BYTES = MIB;

/** A run of a VM, with the images that its guest may write to. */
export type WritableImages = Readonly<{ run: string; images: readonly Readonly<{ target: string; path: string }>[] }>;

export type SpaceOptions<Of extends Readonly<{ uuid: string }>> = Readonly<{
  host: Pick<HostAccess, "space" | "files">;
  imagesOf(vm: Of): Promise<WritableImages | undefined>;
  /** Makes the hypervisor report the first write beyond this offset in the image's file. */
  arm(vm: Of, target: string, offsetBytes: bigint): Promise<void>;
  /** Whether the error only means that the VM or its process is gone. */
  isOver(error: unknown): boolean;
  notify(hint: Hint): void;
  log(message: string): void;
  signal: AbortSignal;
}>;

type Watched<Of> = {
  readonly vm: Of;
  readonly run: string;
  readonly target: string;
  readonly path: string;
  /** The size of the file system, which identifies it. */
  fileSystem: number;
  /** The last passed threshold. libvirt reports it twice: for the disk and for its image. */
  passed?: bigint;
};

/** The bytes that should stay free: 1 GiB or a twentieth, whichever is more, but at most a quarter. */
const reserveOf = (totalBytes: number): number => Math.min(Math.max(RESERVE_BYTES, totalBytes / 20), totalBytes / 4);

/** Bytes by which an image may grow until the space is checked again; 0 means that another check is useless. While more
 * than the reserve is free, an image gets its share of the rest, since others grow as well; below it, half of the free
 * space. */
export function stepFor(freeBytes: number, totalBytes: number, sharers: number): number {
  const room = freeBytes - reserveOf(totalBytes);
  if (room > 0) return Math.floor(Math.max(room / Math.max(1, sharers), STEP_MIN_BYTES));
  return freeBytes / 2 < STEP_MIN_BYTES ? 0 : Math.floor(freeBytes / 2);
}

export type SpaceWatch<Of> = Readonly<{
  /** Begins to watch every VM that is running now. */
  all(running: () => Promise<readonly Of[]>): void;
  started(vm: Of): void;
  stopped(uuid: string): void;
  passed(uuid: string, target: string, thresholdBytes: bigint, excessBytes: bigint): void;
}>;

/** Arms a threshold in every writable image file of every running VM, and reports `space_low` when the host has no more
 * than its reserve, at once if that is so already. The work is sequential and in the background, so that a hung QEMU
 * delays nothing else. */
export function watchSpace<Of extends Readonly<{ uuid: string }>>(options: SpaceOptions<Of>): SpaceWatch<Of> {
  const { host, notify, signal } = options;
  const watched = new Map<string, Watched<Of>>();
  const keyOf = (uuid: string, target: string) => `${uuid}/${target}`;
  let logged = false;
  let last: Promise<void> = Promise.resolve();

  const later = (work: () => Promise<void>) => {
    last = last.then(async () => {
      if (signal.aborted) return;
      await work().catch((error: unknown) => {
        if (signal.aborted || logged || options.isOver(error)) return;
        logged = true;
        options.log(`cannot watch the space of all images: ${error instanceof Error ? error.message : String(error)}`);
      });
    });
  };

  async function arm(one: Watched<Of>, writtenBytes = 0): Promise<void> {
    const { vm, run, target, path } = one;
    const { freeBytes, totalBytes } = await host.space(path);
    one.fileSystem = totalBytes;
    const sharers = [...watched.values()].filter(({ fileSystem }) => fileSystem === totalBytes).length;
    if (signal.aborted) return;
    if (freeBytes <= reserveOf(totalBytes))
      notify({ uuid: vm.uuid, occurrence: { type: "space_low", run, target, freeBytes } });
    const step = stepFor(freeBytes, totalBytes, sharers);
    if (step === 0) return;
    // A threshold is an offset in the file. With holes the allocated blocks are fewer than the length, and a threshold
    // that is passed too early only causes one more check.
    const blocks = Number((await host.files?.stat(path))?.blocks ?? 0n);
    await options.arm(vm, target, BigInt(Math.max(blocks * 512, writtenBytes) + step));
  }

  async function begin(vm: Of): Promise<void> {
    const running = await options.imagesOf(vm);
    if (!running) return;
    const { run } = running;
    for (const { target, path } of running.images) {
      const key = keyOf(vm.uuid, target);
      if (watched.get(key)?.run === run || !(await isFile(host, path))) continue;
      const one: Watched<Of> = { vm, run, target, path, fileSystem: 0 };
      watched.set(key, one);
      await arm(one);
    }
  }

  return {
    all: (running) =>
      later(async () => {
        for (const vm of await running()) later(() => begin(vm));
      }),
    started: (vm) => later(() => begin(vm)),
    stopped(uuid) {
      for (const key of watched.keys()) if (key.startsWith(`${uuid}/`)) watched.delete(key);
    },
    passed(uuid, target, thresholdBytes, excessBytes) {
      const one = watched.get(keyOf(uuid, target));
      if (!one || one.passed === thresholdBytes) return;
      one.passed = thresholdBytes;
      later(() => arm(one, Number(thresholdBytes + excessBytes)));
    },
  };
}

/** An inaccessible file does not count, since its growth is unknown. */
const isFile = async ({ files }: Pick<HostAccess, "files">, path: string): Promise<boolean> =>
  (await files?.stat(path))?.isFile() ?? false;
