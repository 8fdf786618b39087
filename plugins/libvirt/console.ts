/** The screen and keyboard of a running domain. libvirt hands out a connection to it only as a file descriptor
 * (virDomainOpenGraphicsFD), which this client cannot receive, so the console connects to QEMU's own VNC socket. */
import { type Console, openVnc } from "../../src/plugin.ts";
import { DOMAIN_XML } from "./client/libvirt.ts";
import { domainOf, isLibvirtError, type LibvirtSession, mapConnectionErrors, options } from "./session.ts";
import { vncOf } from "./xml/graphics.ts";

/** The console; undefined if the domain is off or has no VNC display.
 * @throws DomainError CONSOLE_UNAVAILABLE */
export async function openConsole(
  session: LibvirtSession,
  uuid: string,
  signal?: AbortSignal,
): Promise<Console | undefined> {
  const xml = await mapConnectionErrors(session, async () => {
    try {
      const domain = await domainOf(session, uuid, signal);
      if (domain.id === undefined) return undefined;
      return await session.libvirt.domainGetXmlDesc(domain, DOMAIN_XML.secure, options(signal));
    } catch (error) {
      if (isLibvirtError(error, "noDomain")) return undefined;
      throw error;
    }
  });
  // session.parse() would cache the password in this definition.
  const vnc = xml === undefined ? undefined : vncOf(xml);
  if (!vnc) return undefined;
  const { at, password } = vnc;
  const { connect } = session.host;
  return openVnc(at, { vm: uuid, signal, ...(password !== undefined && { password }), ...(connect && { connect }) });
}
