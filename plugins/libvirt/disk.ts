/** Disk images. */
import { type BackendDefinition, DomainError } from "../../src/plugin.ts";
import { domainOf, type LibvirtSession, mapConnectionErrors, options, requireUnchanged } from "./session.ts";

export const diskHandlers: BackendDefinition<LibvirtSession>["changes"] = {
  "disk.create": {
    running: "now",
    async apply(session, vm, { path, sizeBytes }, context) {
      await requireUnchanged(session, vm, context);
      await session.images.createDisk(path, sizeBytes, context.signal);
    },
  },
  "disk.delete": {
    running: "refused",
    async apply(session, vm, { path }, context) {
      await requireUnchanged(session, vm, context);
      await session.images.remove(path);
    },
  },
  "disk.resize": {
    running: "now",
    async apply(session, vm, { disk, path, sizeBytes }, context) {
      const { signal } = context;
      await requireUnchanged(session, vm, context);
      const refuseBelow = (currentBytes: number) => {
        if (sizeBytes < currentBytes)
          throw new DomainError("SHRINK_REFUSED", { vm: vm!.name, currentBytes, requestedBytes: sizeBytes });
      };
      if (vm!.power === "off") {
        refuseBelow((await session.images.disk(path, { signal })).virtualBytes ?? 0);
        return session.images.growDisk(path, sizeBytes, signal);
      }
      await mapConnectionErrors(session, async () => {
        const domain = await domainOf(session, vm!.uuid, signal);
        // libvirt before 12.3 shrinks a live disk without an error, so the size is checked right before.
        refuseBelow((await session.libvirt.domainGetBlockInfo(domain, disk, 0, options(signal))).capacityBytes);
        await session.libvirt.domainBlockResize(domain, disk, sizeBytes, options(signal));
      });
    },
  },
};
