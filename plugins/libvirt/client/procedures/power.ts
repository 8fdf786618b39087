import { type Domain, readDomain, writeDomain } from "../domain.ts";
import { exactNumber } from "../parameter.ts";
import { type Call, type CallOptions, nothing } from "../procedure.ts";
import { aboutDomain, textAndFlags, withFlags } from "./arguments.ts";

/** `state` is a DOMAIN_STATE, `reason` its reason in that state (as SHUTOFF_REASON, PAUSED_REASON). */
export interface DomainState {
  readonly state: number;
  readonly reason: number;
}

export interface DomainInfo {
  readonly state: number;
  readonly memoryMaxKib: number;
  readonly memoryKib: number;
  readonly vcpus: number;
  readonly cpuTimeNs: bigint;
}

/** Calls that start, stop and watch a run of a domain. */
export function powerProcedures(call: Call) {
  return {
    /** Starts a defined domain; flags are DOMAIN_START. Resolves with its new id. */
    domainCreateWithFlags: (domain: Domain, flags = 0, options?: CallOptions): Promise<Domain> =>
      call("DOMAIN_CREATE_WITH_FLAGS", withFlags(domain, flags), readDomain, options),

    /** Starts a domain from XML: a transient one, or one run of a persistent one with the same name and UUID. */
    domainCreateXml: (xml: string, flags = 0, options?: CallOptions): Promise<Domain> =>
      call("DOMAIN_CREATE_XML", textAndFlags(xml, flags), readDomain, options),

    /** Asks the guest to power off; success only means that it was asked. Flags are DOMAIN_SHUTDOWN. */
    domainShutdownFlags: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_SHUTDOWN_FLAGS", withFlags(domain, flags), nothing, options),

    /** Asks the guest to reboot; success only means that it was asked. */
    domainReboot: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_REBOOT", withFlags(domain, flags), nothing, options),

    /** Presses the reset button. */
    domainReset: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_RESET", withFlags(domain, flags), nothing, options),

    /** Cuts the power; flags are DOMAIN_DESTROY. */
    domainDestroyFlags: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_DESTROY_FLAGS", withFlags(domain, flags), nothing, options),

    domainSuspend: (domain: Domain, options?: CallOptions): Promise<void> =>
      call("DOMAIN_SUSPEND", aboutDomain(domain), nothing, options),

    domainResume: (domain: Domain, options?: CallOptions): Promise<void> =>
      call("DOMAIN_RESUME", aboutDomain(domain), nothing, options),

    domainGetState: (domain: Domain, flags = 0, options?: CallOptions): Promise<DomainState> =>
      call(
        "DOMAIN_GET_STATE",
        withFlags(domain, flags),
        (reader) => ({ state: reader.int(), reason: reader.int() }),
        options,
      ),

    domainIsActive: (domain: Domain, options?: CallOptions): Promise<boolean> =>
      call("DOMAIN_IS_ACTIVE", aboutDomain(domain), (reader) => reader.truth(), options),

    domainGetInfo: async (domain: Domain, options?: CallOptions): Promise<DomainInfo> => {
      const [state, max, now, vcpus, cpuTimeNs] = await call(
        "DOMAIN_GET_INFO",
        aboutDomain(domain),
        (reader) =>
          [
            reader.unsigned(),
            reader.unsignedHyper(),
            reader.unsignedHyper(),
            reader.unsigned(),
            reader.unsignedHyper(),
          ] as const,
        options,
      );
      return { state, memoryMaxKib: exactNumber(max), memoryKib: exactNumber(now), vcpus, cpuTimeNs };
    },

    /** Sets the action (LIFECYCLE_ACTION) on a guest's power-off, reboot or crash (LIFECYCLE). Flags are
     * DOMAIN_AFFECT. */
    domainSetLifecycleAction: (
      domain: Domain,
      change: { lifecycle: number; action: number },
      flags = 0,
      options?: CallOptions,
    ): Promise<void> =>
      call(
        "DOMAIN_SET_LIFECYCLE_ACTION",
        (writer) => {
          writeDomain(writer, domain);
          writer.unsigned(change.lifecycle);
          writer.unsigned(change.action);
          writer.unsigned(flags);
        },
        nothing,
        options,
      ),

    /** Saves the memory and stops the domain; its next start resumes from there. */
    domainManagedSave: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_MANAGED_SAVE", withFlags(domain, flags), nothing, options),

    domainHasManagedSaveImage: (domain: Domain, flags = 0, options?: CallOptions): Promise<boolean> =>
      call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", withFlags(domain, flags), (reader) => reader.truth(), options),

    domainManagedSaveRemove: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_MANAGED_SAVE_REMOVE", withFlags(domain, flags), nothing, options),
  };
}
