/** Disk images. */
import { type BackendDefinition, DomainError } from "../../src/plugin.ts";
import { domainOf, type LibvirtSession, options, reaching } from "./session.ts";

export const diskHandlers: BackendDefinition<LibvirtSession>["changes"] = {
  "disk.create": {
    running: "now",
    apply: ({ images }, _vm, { path, sizeBytes }, { signal }) => images.createDisk(path, sizeBytes, signal),
  },
  "disk.delete": {
    running: "refused",
    apply: ({ images }, _vm, { path }) => images.remove(path),
  },
  "disk.resize": {
    running: "now",
    async apply(session, vm, { disk, path, sizeBytes }, { signal }) {
      if (vm!.power === "off") return session.images.growDisk(path, sizeBytes, signal);
      await reaching(session, async () => {
        const domain = await domainOf(session, vm!.uuid, signal);
        // libvirt before 12.3 shrinks a live disk without a word, so the size is looked at right before.
        const { capacityBytes } = await session.libvirt.domainGetBlockInfo(domain, disk, 0, options(signal));
        if (sizeBytes < capacityBytes) {
          throw new DomainError("SHRINK_REFUSED", {
            vm: vm!.name,
            currentBytes: capacityBytes,
            requestedBytes: sizeBytes,
          });
        }
        await session.libvirt.domainBlockResize(domain, disk, sizeBytes, options(signal));
      });
    },
  },
};
