/** Reads, changes and builds libvirt's domain XML. Pure functions from text to text; all other content stays as it was,
 * unknown elements included.
 *
 * A text that is defined again must come from virDomainGetXMLDesc with INACTIVE and SECURE: without SECURE the
 * passwords are missing, and the define would delete them. */
export { withBoot, withBootOrder } from "./xml/boot.ts";
export { buildDomain, type DomainSpec } from "./xml/build.ts";
export { CLAIM_NAMESPACE, CLAIM_PREFIX, claimXml, withClaim } from "./xml/claim.ts";
export { meaningOf } from "./xml/meaning.ts";
export { type DeviceChange, deviceXml, nextDriveTarget, withDrive, withMedia, withoutDrive } from "./xml/media.ts";
export { type ParsedDomain, parseDomain, targetOfAlias } from "./xml/read.ts";
