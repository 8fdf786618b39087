/** Compares definitions by their meaning. */
import { removeClaim } from "./claim.ts";
import {
  attributeEntries,
  childrenOf,
  isBlank,
  isComment,
  isElement,
  nameOf,
  parseXml,
  textOf,
  type XmlNode,
} from "./tree.ts";

/** A canonical text of the whole definition, passwords included, without the claim tag. It is the same for two reads of
 * one definition, and differs with every change. It serves for a keyed hash and is never shown or stored. */
export function meaningOf(xml: string): string {
  const root = parseXml(xml);
  removeClaim(root);
  return JSON.stringify(meaning(root));
}

function meaning(node: XmlNode): unknown {
  if (!isElement(node)) return isComment(node) ? { comment: textOf(node) } : (textOf(node) ?? "");
  // Attributes have no order in XML. Elements have, and libvirt keeps it between two reads, except for controllers:
  // after the first start those that it added are in another place. Type and index identify them.
  const attributes = attributeEntries(node).sort(([a], [b]) => (a < b ? -1 : 1));
  const children = childrenOf(node).filter((child) => !isBlank(child));
  const fixed = children.filter((child) => nameOf(child) !== "controller").map(meaning);
  const controllers = children
    .filter((child) => nameOf(child) === "controller")
    .map((child) => JSON.stringify(meaning(child)));
  return [nameOf(node), attributes, fixed, controllers.sort()];
}
