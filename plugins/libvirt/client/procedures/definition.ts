import { type Domain, readDomain, writeDomain, writeUuid } from "../domain.ts";
import { type Call, type CallOptions, nothing } from "../procedure.ts";
import { aboutDomain, textAndFlags, withFlags } from "./arguments.ts";

/** Calls that find, read and change a domain's definition and its metadata. */
export function definitionProcedures(call: Call) {
  return {
    /** Fails with ERROR_CODE.noDomain if there is none. */
    domainLookupByUuid: (uuid: string, options?: CallOptions): Promise<Domain> =>
      call("DOMAIN_LOOKUP_BY_UUID", (writer) => writeUuid(writer, uuid), readDomain, options),

    /** Fails with ERROR_CODE.noDomain if there is none. */
    domainLookupByName: (name: string, options?: CallOptions): Promise<Domain> =>
      call("DOMAIN_LOOKUP_BY_NAME", (writer) => writer.string(name), readDomain, options),

    /** The domain as XML; flags are DOMAIN_XML. */
    domainGetXmlDesc: (domain: Domain, flags = 0, options?: CallOptions): Promise<string> =>
      call("DOMAIN_GET_XML_DESC", withFlags(domain, flags), (reader) => reader.string(), options),

    /** Defines or redefines a persistent domain; flags are DOMAIN_DEFINE. */
    domainDefineXmlFlags: (xml: string, flags = 0, options?: CallOptions): Promise<Domain> =>
      call("DOMAIN_DEFINE_XML_FLAGS", textAndFlags(xml, flags), readDomain, options),

    /** Flags are DOMAIN_UNDEFINE. */
    domainUndefineFlags: (domain: Domain, flags = 0, options?: CallOptions): Promise<void> =>
      call("DOMAIN_UNDEFINE_FLAGS", withFlags(domain, flags), nothing, options),

    /** Only of a domain that is off and has no managed save image. Flags are none yet. */
    domainRename: (domain: Domain, name: string, options?: CallOptions): Promise<void> =>
      call(
        "DOMAIN_RENAME",
        (writer) => {
          writeDomain(writer, domain);
          writer.optional(name, (value) => writer.string(value));
          writer.unsigned(0);
        },
        (reader) => void reader.int(),
        options,
      ),

    domainIsPersistent: (domain: Domain, options?: CallOptions): Promise<boolean> =>
      call("DOMAIN_IS_PERSISTENT", aboutDomain(domain), (reader) => reader.truth(), options),

    domainGetAutostart: (domain: Domain, options?: CallOptions): Promise<boolean> =>
      call("DOMAIN_GET_AUTOSTART", aboutDomain(domain), (reader) => reader.truth(), options),

    domainSetAutostart: (domain: Domain, autostart: boolean, options?: CallOptions): Promise<void> =>
      call(
        "DOMAIN_SET_AUTOSTART",
        (writer) => {
          writeDomain(writer, domain);
          writer.int(autostart ? 1 : 0);
        },
        nothing,
        options,
      ),

    /**
     * Sets title, description or a metadata element (`type` is a METADATA_TYPE); without `metadata` it is removed.
     * An element needs its namespace `uri`, and a prefix (`key`) while it is set. Flags are DOMAIN_AFFECT.
     */
    domainSetMetadata: (
      domain: Domain,
      metadata: { type: number; metadata?: string; key?: string; uri?: string },
      flags = 0,
      options?: CallOptions,
    ): Promise<void> =>
      call(
        "DOMAIN_SET_METADATA",
        (writer) => {
          writeDomain(writer, domain);
          writer.int(metadata.type);
          for (const text of [metadata.metadata, metadata.key, metadata.uri]) {
            writer.optional(text, (value) => writer.string(value));
          }
          writer.unsigned(flags);
        },
        nothing,
        options,
      ),

    /** Fails with ERROR_CODE.noDomainMetadata if there is none. Flags are DOMAIN_AFFECT. */
    domainGetMetadata: (
      domain: Domain,
      metadata: { type: number; uri?: string },
      flags = 0,
      options?: CallOptions,
    ): Promise<string> =>
      call(
        "DOMAIN_GET_METADATA",
        (writer) => {
          writeDomain(writer, domain);
          writer.int(metadata.type);
          writer.optional(metadata.uri, (value) => writer.string(value));
          writer.unsigned(flags);
        },
        (reader) => reader.string(),
        options,
      ),
  };
}
