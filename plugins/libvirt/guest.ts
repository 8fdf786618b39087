/** Asks the guest's agent. Its answer is untrusted text: it is bounded, and control characters are removed. */
import type { GuestInfo } from "../../src/plugin.ts";
import { CallInterrupted, type Domain, GUEST_INFO, type Parameters } from "./client/libvirt.ts";
import { domainOf, isLibvirtError, type LibvirtSession, mapConnectionErrors, options } from "./session.ts";

const TEXT_MAX = 256;
const FILESYSTEMS_MAX = 64;
const DISKS_MAX = 64;

/** The agent's description of the system and its file systems; undefined if no agent answers. */
export async function guestInfo(
  session: LibvirtSession,
  uuid: string,
  signal?: AbortSignal,
): Promise<GuestInfo | undefined> {
  return mapConnectionErrors(session, async () => {
    try {
      const domain = await domainOf(session, uuid, signal);
      return domain.id === undefined ? undefined : infoFrom(await ask(session, domain, signal));
    } catch (error) {
      // No channel, no agent, an agent that does not answer, a domain that is off, or no domain.
      const silent = (
        ["argumentUnsupported", "agentUnresponsive", "agentUnsynced", "operationInvalid", "noDomain"] as const
      ).some((code) => isLibvirtError(error, code));
      const hangs = error instanceof CallInterrupted && error.procedure === "DOMAIN_GET_GUEST_INFO" && !signal?.aborted;
      if (silent || hangs) return undefined;
      throw error;
    }
  });
}

async function ask({ slowCalls }: LibvirtSession, domain: Domain, signal?: AbortSignal): Promise<Parameters> {
  try {
    return await slowCalls.domainGetGuestInfo(domain, GUEST_INFO.os | GUEST_INFO.filesystem, 0, options(signal));
  } catch (error) {
    if (!isLibvirtError(error, "operationUnsupported")) throw error;
    // This agent lacks one of the commands, or may not answer it. A request for everything returns the rest.
    return await slowCalls.domainGetGuestInfo(domain, 0, 0, options(signal));
  }
}

/** Reads virDomainGetGuestInfo's values, in which a disk's alias is its target in the definition. */
export function infoFrom(said: Parameters): GuestInfo {
  const text = (name: string) => untrustedText(said[name]);
  const [osId, osName] = [text("os.id"), text("os.pretty-name") ?? text("os.name")];
  const filesystems = numbered(said["fs.count"], FILESYSTEMS_MAX).map((place) => {
    const disks = numbered(said[`fs.${place}.disk.count`], DISKS_MAX).map((disk) =>
      text(`fs.${place}.disk.${disk}.alias`),
    );
    return {
      mountpoint: text(`fs.${place}.mountpoint`) ?? "",
      type: text(`fs.${place}.fstype`) ?? "",
      disks: [...new Set(disks.filter((target) => target !== undefined))],
    };
  });
  return { ...(osId && { osId }), ...(osName && { osName }), filesystems };
}

const numbered = (count: Parameters[string] | undefined, most: number): number[] =>
  Array.from({ length: typeof count === "number" ? Math.min(count, most) : 0 }, (_, place) => place);

/** Truncates a guest's text and removes its control characters; undefined if nothing is left. */
export const untrustedText = (value: Parameters[string] | undefined): string | undefined =>
  typeof value === "string"
    ? value
        .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "")
        .slice(0, TEXT_MAX)
        .toWellFormed() || undefined
    : undefined;
