/** Disk images. */
import { type BackendDefinition, DomainError } from "../../src/plugin.ts";
import { diskNode } from "./command-line.ts";
import { requireUnchanged } from "./definitions.ts";
import { withLock } from "./lock.ts";
import { deviceOf, queryBlock } from "./observe.ts";
import { isOn } from "./process.ts";
import { type QemuSession, requireOpen } from "./session.ts";

export const diskHandlers: BackendDefinition<QemuSession>["changes"] = {
  "disk.create": {
    running: "now",
    async apply(session, vm, { path, sizeBytes }, context) {
      requireOpen(session, context.signal);
      if (vm) await requireUnchanged(session, vm, context);
      await session.images.createDisk(path, sizeBytes, context.signal);
    },
  },
  "disk.delete": {
    running: "refused",
    async apply(session, vm, { path }, context) {
      requireOpen(session, context.signal);
      if (vm) await requireUnchanged(session, vm, context);
      await session.images.remove(path);
    },
  },
  "disk.resize": {
    running: "now",
    apply: (session, vm, { disk, path, sizeBytes }, context) =>
      // The lock prevents a start while the image grows from outside.
      withLock(session.directory, vm!.uuid, context.signal, async () => {
        const { signal } = context;
        await requireUnchanged(session, vm!, context);
        const refuseBelow = (currentBytes: number) => {
          if (sizeBytes < currentBytes)
            throw new DomainError("SHRINK_REFUSED", { vm: vm!.name, currentBytes, requestedBytes: sizeBytes });
        };
        if (!(await isOn(session, vm!.uuid))) {
          refuseBelow((await session.images.disk(path, { signal })).virtualBytes ?? 0);
          return session.images.growDisk(path, sizeBytes, signal);
        }
        await session.withQmp(vm!.uuid, { signal }, async (qmp) => {
          const inserted = (await queryBlock(qmp, signal)).find(({ qdev }) => deviceOf(qdev) === disk)?.inserted;
          if (!inserted)
            throw new DomainError("DISK_NOT_GROWABLE", { vm: vm!.name, disk, reason: "the running VM has none" });
          // QEMU shrinks a live disk without an error, so the size is checked right before.
          refuseBelow(inserted.image["virtual-size"]);
          await qmp.execute("block_resize", { "node-name": diskNode(disk), size: sizeBytes }, signal);
        });
      }),
  },
};
