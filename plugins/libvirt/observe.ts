/** Observes one VM, or all VMs in one pipelined fetch. */
import type { Host, Power, StopReason, Vm } from "../../src/plugin.ts";
import {
  DOMAIN_STATE,
  DOMAIN_STATS,
  DOMAIN_XML,
  type Domain,
  LIST_DOMAINS,
  PAUSED_REASON,
  SHUTOFF_REASON,
} from "./client/libvirt.ts";
import { domainOf, isLibvirtError, type LibvirtSession, mapConnectionErrors, options, runOf } from "./session.ts";

export async function observeVm(session: LibvirtSession, uuid: string, signal?: AbortSignal): Promise<Vm | undefined> {
  const { libvirt } = session;
  const each = options(signal);
  return mapConnectionErrors(session, async () => {
    try {
      const domain = await domainOf(session, uuid, signal);
      const running = domain.id !== undefined;
      const [next, live, state, savedState, persistent] = await Promise.all([
        libvirt.domainGetXmlDesc(domain, DOMAIN_XML.inactive | DOMAIN_XML.secure, each),
        running ? libvirt.domainGetXmlDesc(domain, 0, each) : undefined,
        libvirt.domainGetState(domain, 0, each),
        libvirt.domainHasManagedSaveImage(domain, 0, each),
        libvirt.domainIsPersistent(domain, each),
      ]);
      const seen = vmFrom(session, domain, { next, live, ...state, savedState, persistent });
      const readBytes = seen.live && (await session.readBytes(domain, each));
      return readBytes ? { ...seen, readBytes } : seen;
    } catch (error) {
      if (isLibvirtError(error, "noDomain")) return undefined;
      throw error;
    }
  });
}

export async function listVms(session: LibvirtSession, signal?: AbortSignal): Promise<Vm[]> {
  const { libvirt } = session;
  const each = options(signal);
  return mapConnectionErrors(session, async () => {
    const [domains, saved, transient, states] = await Promise.all([
      libvirt.connectListAllDomains(0, each),
      libvirt.connectListAllDomains(LIST_DOMAINS.managedSave, each),
      libvirt.connectListAllDomains(LIST_DOMAINS.transient, each),
      libvirt.connectGetAllDomainStats([], DOMAIN_STATS.state, 0, each),
    ]);
    const uuids = (some: readonly Domain[]) => new Set(some.map(({ uuid }) => uuid));
    const [savedUuids, transientUuids] = [uuids(saved), uuids(transient)];
    const stateOf = new Map(states.map(({ domain, stats }) => [domain.uuid, stats]));
    const vms = await Promise.all(
      domains.map(async (domain): Promise<Vm | undefined> => {
        try {
          const [next, live] = await Promise.all([
            libvirt.domainGetXmlDesc(domain, DOMAIN_XML.inactive | DOMAIN_XML.secure, each),
            domain.id === undefined ? undefined : libvirt.domainGetXmlDesc(domain, 0, each),
          ]);
          const stats = stateOf.get(domain.uuid) ?? {};
          return vmFrom(session, domain, {
            next,
            live,
            state: Number(stats["state.state"] ?? DOMAIN_STATE.none),
            reason: Number(stats["state.reason"] ?? 0),
            savedState: savedUuids.has(domain.uuid),
            persistent: !transientUuids.has(domain.uuid),
          });
        } catch (error) {
          // It was undefined while the list was being read.
          if (isLibvirtError(error, "noDomain")) return undefined;
          if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
          // One unreadable definition must not hide all the others.
          session.context.log(`cannot read the definition of ${domain.name}: ${error.message}`);
          return undefined;
        }
      }),
    );
    return vms.filter((vm) => vm !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

export async function lookup(session: LibvirtSession, name: string, signal?: AbortSignal): Promise<string | undefined> {
  return mapConnectionErrors(session, async () => {
    try {
      return (await session.libvirt.domainLookupByName(name, options(signal))).uuid;
    } catch (error) {
      if (isLibvirtError(error, "noDomain")) return undefined;
      throw error;
    }
  });
}

export const hostOf = ({ host }: LibvirtSession): Promise<Host | undefined> => host.resources();

type Seen = Readonly<{
  next: string;
  live: string | undefined;
  state: number;
  reason: number;
  savedState: boolean;
  persistent: boolean;
}>;

function vmFrom(session: LibvirtSession, domain: Domain, seen: Seen): Vm {
  const { definition, fingerprint, claim, type } = session.parse(seen.next);
  const power = powerOf(seen.state, domain.id !== undefined);
  const reason = reasonOf(power, seen);
  const live = seen.live === undefined ? undefined : session.parse(seen.live);
  const run = runOf(session, domain);
  const on = power !== "off" && live !== undefined && run !== undefined;
  const stopReason = on ? undefined : stopReasonOf(seen.state, seen.reason);
  return {
    uuid: domain.uuid,
    name: domain.name,
    power: on ? power : "off",
    persistent: seen.persistent,
    savedState: seen.savedState,
    next: definition,
    accelerator: (live?.type ?? type) === "kvm" ? "kvm" : "tcg",
    fingerprint,
    ...(reason && { powerReason: reason }),
    ...(stopReason && { stopReason }),
    ...(on && live.agent !== undefined && { agent: live.agent }),
    ...(on && { live: live.definition, run }),
    ...(claim && { claim }),
  };
}

/** A crashed domain with `<on_crash>preserve</on_crash>` keeps its QEMU, and its id: it can be destroyed and not started. */
function powerOf(state: number, isActive: boolean): Power {
  if (state === DOMAIN_STATE.crashed) return isActive ? "paused" : "off";
  if (state === DOMAIN_STATE.shutoff) return "off";
  return state === DOMAIN_STATE.paused || state === DOMAIN_STATE.pmSuspended ? "paused" : "running";
}

/** Reasons of a pause other than a user; most of them last a moment. */
const pauses: Readonly<Record<number, string>> = {
  [PAUSED_REASON.migration]: "migrating",
  [PAUSED_REASON.save]: "saving",
  [PAUSED_REASON.dump]: "dumping",
  [PAUSED_REASON.ioError]: "io_error",
  [PAUSED_REASON.watchdog]: "watchdog",
  [PAUSED_REASON.shuttingDown]: "stopping",
  [PAUSED_REASON.snapshot]: "snapshot",
  [PAUSED_REASON.crashed]: "crashed",
  [PAUSED_REASON.startingUp]: "starting",
  [PAUSED_REASON.postcopy]: "migrating",
};

/** The reason of a pause, if it affects what to do next. */
function reasonOf(power: Power, { state, reason }: Pick<Seen, "state" | "reason">): string | undefined {
  if (power === "paused") {
    if (state === DOMAIN_STATE.crashed) return "crashed";
    return state === DOMAIN_STATE.pmSuspended ? "suspended" : pauses[reason];
  }
  if (power === "off")
    return reason === SHUTOFF_REASON.failed ? "failed" : reason === SHUTOFF_REASON.crashed ? "crashed" : undefined;
  return undefined;
}

/** How the last run ended; undefined if libvirt does not know, as for a domain that has not run since it was
 * defined. */
function stopReasonOf(state: number, reason: number): StopReason | undefined {
  if (state === DOMAIN_STATE.crashed) return "crashed";
  if (state !== DOMAIN_STATE.shutoff) return undefined;
  const reasons: Partial<Record<number, StopReason>> = {
    [SHUTOFF_REASON.shutdown]: "shutdown",
    [SHUTOFF_REASON.destroyed]: "power_cut",
    [SHUTOFF_REASON.crashed]: "crashed",
    [SHUTOFF_REASON.saved]: "saved",
    [SHUTOFF_REASON.failed]: "failed",
  };
  return reasons[reason];
}
