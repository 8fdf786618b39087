/** The space of running VMs' images, by libvirt's block thresholds. */
import { type Hint, type SpaceWatch, watchSpace } from "../../src/plugin.ts";
import { ConnectFailed, ConnectionLost, type Domain, type DomainEvent, LIST_DOMAINS } from "./client/libvirt.ts";
import { isLibvirtError, type LibvirtSession, runOf } from "./session.ts";

/** Reports `space_low` for every VM that runs now or is started later. */
export function domainSpace(session: LibvirtSession, notify: (hint: Hint) => void, signal: AbortSignal) {
  const { slowCalls, context, host } = session;
  const space: SpaceWatch<Domain> = watchSpace({
    host,
    async imagesOf(domain) {
      const run = runOf(session, domain);
      if (run === undefined) return undefined;
      const { definition } = session.parse(await slowCalls.domainGetXmlDesc(domain, 0, { signal }));
      const writable = definition.disks.flatMap(({ target, path, readOnly }) =>
        path === undefined || readOnly ? [] : [{ target, path }],
      );
      return { run, images: writable };
    },
    arm: (domain, target, offsetBytes) => slowCalls.domainSetBlockThreshold(domain, target, offsetBytes, { signal }),
    // A domain that ended meanwhile refuses; a daemon that is gone ends the whole watch.
    isOver: (error) =>
      isLibvirtError(error, "operationInvalid") ||
      isLibvirtError(error, "noDomain") ||
      error instanceof ConnectFailed ||
      error instanceof ConnectionLost,
    notify,
    log: context.log,
    signal,
  });
  return {
    ...space,
    all: (): void => space.all(() => slowCalls.connectListAllDomains(LIST_DOMAINS.active, { signal })),
    /** libvirt reports the disk and its image (`vda`, `vda[2]`). */
    passed: ({ domain, device, thresholdBytes, excessBytes }: DomainEvent & { kind: "blockThreshold" }): void =>
      space.passed(domain.uuid, device.replace(/\[\d+\]$/, ""), thresholdBytes, excessBytes),
  };
}
