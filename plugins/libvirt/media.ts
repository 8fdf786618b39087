/** CD-ROM drives and what is in them. */
import { setTimeout as sleep } from "node:timers/promises";
import { type BackendDefinition, DomainError, driveOf, type Vm } from "../../src/plugin.ts";
import { DEVICE_MODIFY, DOMAIN_XML, type Domain } from "./client/libvirt.ts";
import { deviceXml, withDrive, withoutDrive } from "./domain-xml.ts";
import {
  isLibvirtError,
  type LibvirtSession,
  mapConnectionErrors,
  options,
  requireUnchangedDomain,
} from "./session.ts";

/** A guest needs a moment to release the tray after an eject request. */
const TRAY_RETRY_MS = 3_000;

export const mediaHandlers: BackendDefinition<LibvirtSession>["changes"] = {
  "media.set": {
    running: "now",
    async apply(session, vm, { drive, next, live, force }, context) {
      await mapConnectionErrors(session, async () => {
        const { domain, xml } = await requireUnchangedDomain(session, vm!.uuid, context);
        // The live part goes first: only it can be refused by the guest, and then nothing has changed.
        if (vm!.live) await setLive(session, domain, vm!, { drive, live, force }, context.signal);
        if (driveOf(session.parse(xml).definition, drive)?.path === next) return;
        const update = deviceXml(xml, "cdrom", drive, { media: next ?? false });
        await session.libvirt.domainUpdateDeviceFlags(domain, update, DEVICE_MODIFY.config, options(context.signal));
      });
    },
  },
  "drive.add": {
    running: "next_start",
    apply: (session, vm, { target, bus }, context) =>
      redefine(session, vm!, context, (xml) => withDrive(xml, target, bus)),
  },
  "drive.remove": {
    running: "next_start",
    apply: (session, vm, { target }, context) => redefine(session, vm!, context, (xml) => withoutDrive(xml, target)),
  },
};

async function redefine(
  session: LibvirtSession,
  vm: Vm,
  context: { expect?: string; signal: AbortSignal },
  edit: (xml: string) => string,
): Promise<void> {
  await mapConnectionErrors(session, async () => {
    const { xml } = await requireUnchangedDomain(session, vm.uuid, context);
    await session.libvirt.domainDefineXmlFlags(edit(xml), 0, options(context.signal));
  });
}

type LiveMedium = Readonly<{ drive: string; live: string | undefined; force: boolean }>;

async function setLive(
  session: LibvirtSession,
  domain: Domain,
  vm: Vm,
  { drive, live, force }: LiveMedium,
  signal: AbortSignal,
): Promise<void> {
  const { libvirt } = session;
  const xml = await libvirt.domainGetXmlDesc(domain, DOMAIN_XML.secure, options(signal));
  const held = driveOf(session.parse(xml).definition, drive);
  // A drive that exists only in the next definition needs no live change.
  if (!held) return;
  const update = async (media: string | undefined) => {
    const flags = DEVICE_MODIFY.live | (force ? DEVICE_MODIFY.force : 0);
    await libvirt.domainUpdateDeviceFlags(
      domain,
      deviceXml(xml, "cdrom", drive, { media: media ?? false }),
      flags,
      options(signal),
    );
  };
  if (held.path === live && (held.tray === "closed" || live === undefined)) return;
  try {
    // With the tray open libvirt still names the old medium, so inserting the same one would change nothing.
    if (held.tray === "open" && live !== undefined) await update(undefined);
    await update(live);
  } catch (error) {
    if (!isTrayLocked(error)) throw error;
    // The first try sent the guest an eject request, which it may have followed by now.
    await sleep(TRAY_RETRY_MS, undefined, { signal });
    try {
      await update(live);
    } catch (again) {
      if (isTrayLocked(again)) throw new DomainError("TRAY_LOCKED", { vm: vm.name, drive }, { cause: again });
      throw again;
    }
  }
}

/** libvirt 9.0 gives a locked tray no code of its own: "timed out waiting to open tray of 'sda'" as operationFailed. */
const isTrayLocked = (error: unknown) => isLibvirtError(error, "operationFailed") && /\btray\b/.test(error.message);
