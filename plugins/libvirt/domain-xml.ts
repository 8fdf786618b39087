/** Domain XML as libvirt gives and takes it: reading it, changing one thing in it, and making a new one. Pure functions
 * from text to text; whatever a function does not mean to change stays as it was, what nobody here knows included.
 *
 * Give the text of virDomainGetXMLDesc with INACTIVE and SECURE to whatever is defined again: without SECURE the
 * passwords are missing, and a define would delete them. */
export { withBoot, withBootOrder } from "./xml/boot.ts";
export { buildDomain, type DomainSpec } from "./xml/build.ts";
export { CLAIM_NAMESPACE, CLAIM_PREFIX, claimXml, withClaim } from "./xml/claim.ts";
export { meaningOf } from "./xml/meaning.ts";
export { type DeviceChange, deviceXml, nextDriveTarget, withDrive, withMedia, withoutDrive } from "./xml/media.ts";
export { type ParsedDomain, parseDomain, targetOfAlias } from "./xml/read.ts";
