import { type Domain, writeDomain } from "../domain.ts";
import { exactNumber, type Parameters, readParameters } from "../parameter.ts";
import { type Call, type CallOptions, nothing } from "../procedure.ts";
import { withFlags, withText } from "./arguments.ts";

const BLOCK_STATS_MAX = 16;
const DISK_ERRORS_MAX = 256;
/** VIR_TYPED_PARAM_STRING_OKAY: this side reads texts among typed parameters. */
const STRING_OKAY = 1 << 2;

/** Bytes: what the guest sees, what the host has allocated, how long the file is. */
export interface BlockInfo {
  readonly capacityBytes: number;
  readonly allocationBytes: number;
  readonly physicalBytes: number;
}

/** Since the domain started. -1 where the hypervisor does not count. */
export interface BlockStats {
  readonly readRequests: bigint;
  readonly readBytes: bigint;
  readonly writeRequests: bigint;
  readonly writeBytes: bigint;
  readonly errors: bigint;
}

/** `error`: 1 unspecified, 2 no space. */
export interface DiskError {
  readonly disk: string;
  readonly error: number;
}

/** Calls about a domain's devices. A disk is named by its target ("vda") or its source path. */
export function deviceProcedures(call: Call) {
  return {
    /** Changes one device to what its XML says; flags are DEVICE_MODIFY. */
    domainUpdateDeviceFlags: (domain: Domain, xml: string, flags: number, options?: CallOptions): Promise<void> =>
      call("DOMAIN_UPDATE_DEVICE_FLAGS", withText(domain, xml, flags), nothing, options),

    domainAttachDeviceFlags: (domain: Domain, xml: string, flags: number, options?: CallOptions): Promise<void> =>
      call("DOMAIN_ATTACH_DEVICE_FLAGS", withText(domain, xml, flags), nothing, options),

    /** Live, success means that the guest was asked to release the device; the event deviceRemoved means that it
     * did. */
    domainDetachDeviceFlags: (domain: Domain, xml: string, flags: number, options?: CallOptions): Promise<void> =>
      call("DOMAIN_DETACH_DEVICE_FLAGS", withText(domain, xml, flags), nothing, options),

    domainGetBlockInfo: async (domain: Domain, disk: string, flags = 0, options?: CallOptions): Promise<BlockInfo> => {
      const [allocation, capacity, physical] = await call(
        "DOMAIN_GET_BLOCK_INFO",
        withText(domain, disk, flags),
        (reader) => [reader.unsignedHyper(), reader.unsignedHyper(), reader.unsignedHyper()] as const,
        options,
      );
      return {
        capacityBytes: exactNumber(capacity),
        allocationBytes: exactNumber(allocation),
        physicalBytes: exactNumber(physical),
      };
    },

    domainBlockStats: (domain: Domain, disk: string, options?: CallOptions): Promise<BlockStats> =>
      call(
        "DOMAIN_BLOCK_STATS",
        (writer) => {
          writeDomain(writer, domain);
          writer.string(disk);
        },
        (reader) => ({
          readRequests: reader.hyper(),
          readBytes: reader.hyper(),
          writeRequests: reader.hyper(),
          writeBytes: reader.hyper(),
          errors: reader.hyper(),
        }),
        options,
      ),

    /** The same under libvirt's names ("rd_bytes"), with whatever else the hypervisor counts. */
    domainBlockStatsFlags: async (
      domain: Domain,
      disk: string,
      flags = 0,
      options?: CallOptions,
    ): Promise<Parameters> => {
      const ask = (length: number) =>
        call(
          "DOMAIN_BLOCK_STATS_FLAGS",
          (writer) => {
            writeDomain(writer, domain);
            writer.string(disk);
            writer.int(length);
            writer.unsigned(flags | STRING_OKAY);
          },
          (reader) => ({ stats: readParameters(reader, BLOCK_STATS_MAX), count: reader.int() }),
          options,
        );
      // libvirt's protocol asks for the number of values first.
      const { count } = await ask(0);
      return count === 0 ? {} : (await ask(count)).stats;
    },

    /** Resizes a running domain's disk. It also shrinks without an error, so the caller must check the size first. */
    domainBlockResize: (domain: Domain, disk: string, sizeBytes: number, options?: CallOptions): Promise<void> =>
      call(
        "DOMAIN_BLOCK_RESIZE",
        (writer) => {
          if (!Number.isSafeInteger(sizeBytes)) throw new RangeError(`Cannot resize to ${sizeBytes} bytes`);
          writeDomain(writer, domain);
          writer.string(disk);
          writer.unsignedHyper(BigInt(sizeBytes));
          // VIR_DOMAIN_BLOCK_RESIZE_BYTES; libvirt's default unit is KiB.
          writer.unsigned(1);
        },
        nothing,
        options,
      ),

    /** Disks that had an I/O error; none means no error. */
    domainGetDiskErrors: (domain: Domain, options?: CallOptions): Promise<DiskError[]> =>
      call(
        "DOMAIN_GET_DISK_ERRORS",
        (writer) => {
          writeDomain(writer, domain);
          writer.unsigned(DISK_ERRORS_MAX);
          writer.unsigned(0);
        },
        (reader) => {
          const errors = reader.list(DISK_ERRORS_MAX, () => ({ disk: reader.string(), error: reader.int() }));
          reader.int();
          return errors;
        },
        options,
      ),

    /** The event blockThreshold comes once, at the first write beyond this offset in the image. */
    domainSetBlockThreshold: (
      domain: Domain,
      disk: string,
      thresholdBytes: bigint,
      options?: CallOptions,
    ): Promise<void> =>
      call(
        "DOMAIN_SET_BLOCK_THRESHOLD",
        (writer) => {
          writeDomain(writer, domain);
          writer.string(disk);
          writer.unsignedHyper(thresholdBytes);
          writer.unsigned(0);
        },
        nothing,
        options,
      ),

    /** libvirt's messages about a domain (deprecated settings, tainting), flags by virDomainMessageType; 0: all. */
    domainGetMessages: (domain: Domain, flags = 0, options?: CallOptions): Promise<string[]> =>
      call("DOMAIN_GET_MESSAGES", withFlags(domain, flags), (r) => r.list(2048, () => r.shownString()), options),
  };
}
