/** Runs qemu-img, always with the image's format. Callers walk the image's chain first, since qemu-img would follow
 * it. */
import { join } from "node:path";
import { z } from "zod";
import { DomainError } from "../domain/error.ts";
import type { HostFiles, HostPrograms, ProgramOptions } from "../domain/ports/host-access.ts";
import { isUsablePath } from "../host-access/errno.ts";
import { createConcurrencyLimit } from "./concurrency-limit.ts";

export type Format = "qcow2" | "raw";

/** A range of guest-visible bytes. `data` false or `zero` true: reads as zeros. */
export type Extent = Readonly<{ start: number; length: number; data: boolean; zero: boolean }>;

const MAP_BYTES_MAX = 4 << 20;

const Info = z.object({ "virtual-size": z.number(), "actual-size": z.number() });
const Extents = z.array(z.object({ start: z.number(), length: z.number(), data: z.boolean(), zero: z.boolean() }));
const Check = z.object({
  corruptions: z.number().default(0),
  leaks: z.number().default(0),
  "check-errors": z.number().default(0),
});

export type QemuImgOptions = Readonly<{ timeoutMs?: number; parallel?: number; program?: string }>;
export type QemuImg = ReturnType<typeof createQemuImg>;

/** `host`: where the images are and qemu-img runs. */
export function createQemuImg(
  host: Readonly<{ files: HostFiles; programs: HostPrograms }>,
  options: QemuImgOptions = {},
) {
  const { timeoutMs = 30_000, parallel = 4, program = "qemu-img" } = options;
  const limit = createConcurrencyLimit(parallel);

  async function run(args: readonly string[], path: string, signal?: AbortSignal, more?: Partial<ProgramOptions>) {
    // qemu-img takes a relative name with a colon for a protocol, and one that begins with a dash for an option.
    if (!isUsablePath(path)) throw new TypeError(`not an absolute path: ${JSON.stringify(path)}`);
    return limit(() => host.programs.run(program, args, { timeoutMs, signal, ...more }), signal);
  }

  function parse<T>(schema: z.ZodType<T>, text: string, command: string): T {
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new DomainError("IMAGE_TOOL_FAILED", { command, reason: "its answer cannot be read" }, { cause });
    }
  }

  return {
    /** Sizes in bytes; works while a VM has the image open.
     * @throws DomainError IMAGE_TOOL_FAILED, as every function here */
    async info(path: string, format: Format, signal?: AbortSignal) {
      const { stdout } = await run(["info", "-U", "--output=json", "-f", format, path], path, signal);
      const info = parse(Info, stdout, "qemu-img info");
      return { virtualBytes: info["virtual-size"], actualBytes: info["actual-size"] };
    },

    /** The ranges with data, backing files included; `undefined` when the list is too long to read (tens of thousands
     * of ranges). Works while a VM has the image open. */
    async map(path: string, format: Format, signal?: AbortSignal): Promise<readonly Extent[] | undefined> {
      const args = ["map", "-U", "--output=json", "-f", format, path];
      const { stdout, tooLong } = await run(args, path, signal, { outputBytesMax: MAP_BYTES_MAX });
      return tooLong ? undefined : parse(Extents, stdout, "qemu-img map");
    },

    /** Exactly `length` guest-visible bytes. Works while a VM has the image open, but without the data that its QEMU
     * has not written yet. */
    async read(path: string, format: Format, position: number, length: number, signal?: AbortSignal): Promise<Buffer> {
      return host.files.withTemporaryDirectory(async (directory) => {
        // dd recreates its output file, which fails with a pipe.
        const out = join(directory, "bytes");
        // A window over the image, since dd's own `skip` and `count` mean different things in different versions (up to
        // 9.x, `count` blocks were counted from the start of the image). In this notation a comma is written twice.
        const name = path.replaceAll(",", ",,");
        const source = `driver=raw,offset=${position},size=${length},file.driver=${format},file.file.filename=${name}`;
        await run(["dd", "-U", "--image-opts", "-O", "raw", "bs=65536", `if=${source}`, `of=${out}`], path, signal);
        const bytes = await host.files.open(out, (file) => file.read(0, length));
        if (bytes.length === length) return Buffer.from(bytes);
        throw new DomainError("IMAGE_TOOL_FAILED", { command: "qemu-img dd", reason: "its answer is too short" });
      });
    },

    /** Whether the image's tables are corrupt. Leaked clusters waste space and are no corruption. Takes the image's
     * lock. */
    async check(path: string, format: Format, signal?: AbortSignal): Promise<{ corrupt: boolean }> {
      const args = ["check", "--output=json", "-f", format, path];
      const { stdout } = await run(args, path, signal, { exitCodes: [0, 2, 3], timeoutMs: 10 * timeoutMs });
      const check = parse(Check, stdout, "qemu-img check");
      return { corrupt: check.corruptions > 0 || check["check-errors"] > 0 };
    },

    /** Overwrites the file with an empty qcow2 image. */
    async create(path: string, sizeBytes: number, signal?: AbortSignal): Promise<void> {
      const layout = "compat=1.1,lazy_refcounts=off";
      await run(["create", "-q", "-f", "qcow2", "-o", layout, path, String(sizeBytes)], path, signal);
    },

    /** Grows an image that no program has open. qemu-img itself refuses to shrink one without `--shrink`. */
    async grow(path: string, format: Format, sizeBytes: number, signal?: AbortSignal): Promise<void> {
      await run(["resize", "-q", "-f", format, path, String(sizeBytes)], path, signal);
    },
  };
}
