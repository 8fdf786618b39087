/** Files of this host. Each system call has a time limit; files are read in pieces, never whole. */
import { access, constants, mkdtemp, open, opendir, realpath, rm, stat, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DirectoryEntry, HostFiles, OpenFile } from "../domain/ports/host-access.ts";
import { errnoOf } from "./errno.ts";
import { withFsTimeout } from "./fs-timeout.ts";
import { runProgram } from "./run-program.ts";

/** Opens without following a symbolic link at the end of the path, and without blocking on a FIFO. */
async function openLocal<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await withFsTimeout(
    () => open(path, flags),
    (late) => void late.close().catch(() => undefined),
  );
  let answers = true;
  const ask = <A>(call: () => Promise<A>) =>
    withFsTimeout(call).catch((error: unknown) => {
      answers &&= errnoOf(error) !== "ETIMEDOUT";
      throw error;
    });
  try {
    const found = await ask(() => handle.stat({ bigint: true }));
    const read = async (position: number, length: number) => {
      const buffer = Buffer.alloc(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await ask(() => handle.read(buffer, filled, length - filled, position + filled));
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    };
    return await use({ read, stat: found });
  } finally {
    // Closing waits for a read that is under way, which may never end.
    const closed = handle.close();
    if (answers) await closed;
    else closed.catch(() => undefined);
  }
}

export const localFiles: HostFiles = {
  realpath: (path) => withFsTimeout(() => realpath(path)),
  stat: (path) => withFsTimeout(() => stat(path, { bigint: true })),
  open: openLocal,
  list: (path, countMax) =>
    withFsTimeout(async () => {
      const entries: DirectoryEntry[] = [];
      for await (const entry of await opendir(path)) if (entries.push(entry) >= countMax) break;
      return entries;
    }),
  allows: (path, wanted) =>
    withFsTimeout(() => access(path, wanted === "search" ? constants.X_OK : constants.R_OK)).then(
      () => true,
      // An error without a number comes from the runtime: Deno lacks the permission, and QEMU is not bound by it.
      (error: unknown) => errnoOf(error) === undefined,
    ),
  // One package brings `getfacl` and `setfacl`, so without it only the mode counts.
  accessList: (path) =>
    runProgram("getfacl", ["-c", "-n", "-p", "-E", "--", path], { timeoutMs: 5_000 }).then(
      ({ stdout }) => stdout,
      () => undefined,
    ),
  create: async (path, mode) => (await open(path, "wx", mode)).close(),
  remove: (path) => unlink(path),
  async withTemporaryDirectory(use) {
    const directory = await mkdtemp(join(tmpdir(), "bootwright-"));
    try {
      return await use(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};
