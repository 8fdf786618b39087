import { type Domain, readDomain, writeDomain } from "../domain.ts";
import { exactNumber, type Parameters, readParameters } from "../parameter.ts";
import { type Call, type CallOptions, nothing } from "../procedure.ts";

const DOMAIN_LIST_MAX = 16_384;
const STATS_MAX = 262_144;

/** What one domain answered to connectGetAllDomainStats. */
export interface DomainStats {
  readonly domain: Domain;
  readonly stats: Parameters;
}

/** Calls about the connection as a whole: the host, the daemon, all domains. */
export function connectProcedures(call: Call) {
  return {
    /** The hypervisor driver, as "QEMU" or "TEST". */
    connectGetType: (options?: CallOptions): Promise<string> =>
      call("CONNECT_GET_TYPE", nothing, (reader) => reader.string(), options),

    /** The hypervisor's version: major * 1000000 + minor * 1000 + release. */
    connectGetVersion: (options?: CallOptions): Promise<number> =>
      call("CONNECT_GET_VERSION", nothing, (reader) => reader.unsignedHyper(), options).then(exactNumber),

    /** libvirt's own version, in the same form. */
    connectGetLibVersion: (options?: CallOptions): Promise<number> =>
      call("CONNECT_GET_LIB_VERSION", nothing, (reader) => reader.unsignedHyper(), options).then(exactNumber),

    connectGetHostname: (options?: CallOptions): Promise<string> =>
      call("CONNECT_GET_HOSTNAME", nothing, (reader) => reader.string(), options),

    connectGetUri: (options?: CallOptions): Promise<string> =>
      call("CONNECT_GET_URI", nothing, (reader) => reader.string(), options),

    /** Whether driver or daemon have a feature, by libvirt's internal number (VIR_DRV_FEATURE_*). */
    connectSupportsFeature: (feature: number, options?: CallOptions): Promise<boolean> =>
      call(
        "CONNECT_SUPPORTS_FEATURE",
        (writer) => writer.int(feature),
        (reader) => reader.truth(),
        options,
      ),

    /** The host's capabilities as XML. */
    connectGetCapabilities: (options?: CallOptions): Promise<string> =>
      call("CONNECT_GET_CAPABILITIES", nothing, (reader) => reader.string(), options),

    /** What a domain can have, as XML. What is absent in `machine` is libvirt's default. */
    connectGetDomainCapabilities: (
      machine: { emulator?: string; arch?: string; machine?: string; virtType?: string } = {},
      flags = 0,
      options?: CallOptions,
    ): Promise<string> =>
      call(
        "CONNECT_GET_DOMAIN_CAPABILITIES",
        (writer) => {
          for (const text of [machine.emulator, machine.arch, machine.machine, machine.virtType]) {
            writer.optional(text, (value) => writer.string(value));
          }
          writer.unsigned(flags);
        },
        (reader) => reader.string(),
        options,
      ),

    /** All domains, or those that LIST_DOMAINS flags select. */
    connectListAllDomains: (flags = 0, options?: CallOptions): Promise<Domain[]> =>
      call(
        "CONNECT_LIST_ALL_DOMAINS",
        (writer) => {
          writer.int(1);
          writer.unsigned(flags);
        },
        (reader) => {
          const domains = reader.list(DOMAIN_LIST_MAX, () => readDomain(reader));
          // The count once more, for callers that asked for the count alone.
          reader.unsigned();
          return domains;
        },
        options,
      ),

    /**
     * Statistics of many domains in one call: `stats` are DOMAIN_STATS to ask for (0: all), `domains` those to ask
     * about (none: all, selected by LIST_DOMAINS among the flags).
     */
    connectGetAllDomainStats: (
      domains: readonly Domain[] = [],
      stats = 0,
      flags = 0,
      options?: CallOptions,
    ): Promise<DomainStats[]> =>
      call(
        "CONNECT_GET_ALL_DOMAIN_STATS",
        (writer) => {
          writer.list(domains, (domain) => writeDomain(writer, domain));
          writer.unsigned(stats);
          writer.unsigned(flags);
        },
        (reader) =>
          reader.list(DOMAIN_LIST_MAX, () => ({
            domain: readDomain(reader),
            stats: readParameters(reader, STATS_MAX),
          })),
        options,
      ),
  };
}
