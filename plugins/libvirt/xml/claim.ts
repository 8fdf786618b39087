/** Bootwright's claim tag in a domain's `<metadata>`: one element in a namespace of its own, which libvirt keeps
 * unchanged. It repeats the record; a clone or a rollback copies it. */
import type { ClaimTag } from "../../../src/plugin.ts";
import {
  attribute,
  childrenOf,
  editXml,
  element,
  elementsOf,
  find,
  insert,
  isBlank,
  nameOf,
  remove,
  setAttribute,
  writeXml,
  type XmlNode,
} from "./tree.ts";

/** The namespace URI, for virDomainSetMetadata's and virDomainGetMetadata's `uri`. */
export const CLAIM_NAMESPACE = "https://bootwright.dev/xmlns/domain/1";
/** The prefix that libvirt writes the namespace with: virDomainSetMetadata's `key`. */
export const CLAIM_PREFIX = "bootwright";

/** The elements that libvirt writes before `<metadata>` (virDomainDefFormatInternal); all others come behind it. */
const aheadOfMetadata = ["name", "uuid", "genid", "title", "description"];

const attributesFor = (tag: ClaimTag) => ({ uuid: tag.uuid, revision: tag.revision, status: tag.status });

/** The tag for virDomainSetMetadata, which adds prefix and namespace itself. */
export const claimXml = (tag: ClaimTag): string => writeXml([element("vm", attributesFor(tag))]);

/** The definition with this claim tag, or without one. */
export function withClaim(xml: string, tag: ClaimTag | undefined): string {
  return editXml(xml, (domain) => {
    const held = claimElements(domain)[0];
    if (tag === undefined) removeClaim(domain);
    else if (held === undefined) insertClaim(domain, tag);
    else for (const [name, value] of Object.entries(attributesFor(tag))) setAttribute(held, name, String(value));
  });
}

function insertClaim(domain: XmlNode, tag: ClaimTag): void {
  const claim = element(`${CLAIM_PREFIX}:vm`, { [`xmlns:${CLAIM_PREFIX}`]: CLAIM_NAMESPACE, ...attributesFor(tag) });
  const metadata = find(domain, "metadata");
  const first = elementsOf(domain).find((node) => !aheadOfMetadata.includes(nameOf(node)));
  if (metadata) insert(metadata, claim);
  else insert(domain, element("metadata", {}, [claim]), (sibling) => sibling === first);
}

/** Removes the claim tag from the tree, and a `<metadata>` that contained nothing else. */
export function removeClaim(domain: XmlNode): void {
  const metadata = find(domain, "metadata");
  for (const claim of claimElements(domain)) remove(metadata, claim);
  if (metadata && childrenOf(metadata).every(isBlank)) remove(domain, metadata);
}

/** The claim tag of a domain; undefined if it is missing or unreadable. */
export function claimOf(domain: XmlNode): ClaimTag | undefined {
  const claim = claimElements(domain)[0];
  const [uuid, revision, status] = ["uuid", "revision", "status"].map((name) => attribute(claim, name));
  if (uuid === undefined || status === undefined || !/^\d{1,15}$/.test(revision ?? "")) return undefined;
  return { uuid, revision: Number(revision), status };
}

/** The elements named `vm` in our namespace, whichever prefix they carry and wherever it is declared. */
function claimElements(domain: XmlNode): XmlNode[] {
  const metadata = find(domain, "metadata");
  return elementsOf(metadata).filter((node) => {
    const [local, prefix] = nameOf(node).split(":").reverse();
    const declaration = prefix === undefined ? "xmlns" : `xmlns:${prefix}`;
    const namespace = [node, metadata, domain]
      .map((scope) => attribute(scope, declaration))
      .find((uri) => uri !== undefined);
    return local === "vm" && namespace === CLAIM_NAMESPACE;
  });
}
