/** The host of a memory connection: its size is a setting, and its files are the connection's alone. */
import type { HostAccess, Space } from "../../src/plugin.ts";
import type { DiskFile, Session } from "./machine.ts";

/** What qemu-img makes of a new image, before anything is written to it. */
const EMPTY_IMAGE_BYTES = 196_608;
const INSTALLED_BYTES = 1024 ** 3;

/** Bytes that an image takes on the host. */
export const occupiedBytes = ({ content, virtualBytes }: DiskFile): number =>
  Math.min(content === "blank" ? EMPTY_IMAGE_BYTES : INSTALLED_BYTES, virtualBytes);

export function spaceOf({ files, spaceBytes }: Session): Space {
  const used = [...files.values()].reduce(
    (sum, file) => sum + (file.kind === "disk" ? occupiedBytes(file) : file.sizeBytes),
    0,
  );
  return { freeBytes: Math.max(0, spaceBytes - used), totalBytes: spaceBytes };
}

export const hostOf = (session: Session): HostAccess => ({
  bootId: async () => undefined,
  user: async () => undefined,
  resources: async () => session.resources,
  space: async () => spaceOf(session),
});
