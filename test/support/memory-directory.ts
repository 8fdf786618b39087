/** The directory for databases that need not outlive a loss of power. It is in memory where there is room, since a disk takes
 * its time at every commit. */
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const MEMORY = "/dev/shm";
const ROOM_BYTES = 256 * 1024 ** 2;

function hasRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize > ROOM_BYTES;
  } catch {
    return false;
  }
}

export const memoryDirectory = hasRoom(MEMORY) ? MEMORY : tmpdir();
