/** The host that this program runs on. */
import { mkdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import type { HostAccess, HostUser } from "../domain/ports/host-access.ts";
import type { Space } from "../domain/ports/images.ts";
import { meansMissing } from "./errno.ts";
import { withFsTimeout } from "./fs-timeout.ts";
import { localFiles } from "./local-files.ts";
import { connectLocally } from "./local-socket.ts";
import { runProgram } from "./run-program.ts";

/** Space of the file system that `path` is on, or would be on: that of its nearest existing parent. */
async function spaceAt(path: string): Promise<Space> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, blocks, bsize } = await withFsTimeout(() => statfs(at));
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      if (!meansMissing(error) || at === dirname(at)) throw error;
    }
  }
}

/** The file's text; empty if it is missing or unreadable. */
const readText = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");

const fieldsOf = (text: string) => text.split("\n").map((line) => line.split(":"));

/** Fields of passwd(5) and group(5). */
async function userNamed(names: readonly string[]): Promise<HostUser | undefined> {
  const [name, , uid, gid] = fieldsOf(await readText("/etc/passwd")).find(([user]) => names.includes(user!)) ?? [];
  if (name === undefined || !uid) return undefined;
  const groups = fieldsOf(await readText("/etc/group")).filter(([, , , members]) => members?.split(",").includes(name));
  return { uid: Number(uid), gids: [Number(gid), ...groups.map(([, , group]) => Number(group))] };
}

export const localHost: Required<HostAccess> = {
  bootId: async () => (await readText("/proc/sys/kernel/random/boot_id")).trim() || undefined,
  resources: async () => ({ memoryBytes: totalmem(), cpus: availableParallelism() }),
  user: userNamed,
  space: spaceAt,
  files: localFiles,
  programs: { run: runProgram },
  connect: connectLocally,
  probe: {
    async put(path, content) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { mode: 0o644 });
    },
    hasContent: (path) =>
      stat(path).then(
        ({ size }) => size > 0,
        () => false,
      ),
    remove: (path) => rm(path, { force: true }),
  },
};
