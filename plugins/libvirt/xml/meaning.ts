/** Compares definitions by what they say. */
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

/** A canonical text of the whole definition, passwords included, without our own claim tag: the same for two reads of
 * one definition, another as soon as anything is different in it. Meant for a keyed hash, never to be shown or kept. */
export function meaningOf(xml: string): string {
  const root = parseXml(xml);
  removeClaim(root);
  return JSON.stringify(meaning(root));
}

function meaning(node: XmlNode): unknown {
  if (!isElement(node)) return isComment(node) ? { comment: textOf(node) } : (textOf(node) ?? "");
  // Attributes have no order in XML. Elements have, and libvirt keeps it between two reads, but for controllers: after
  // the first start those that it added by itself stand in another place. Type and index identify them.
  const attributes = attributeEntries(node).sort(([a], [b]) => (a < b ? -1 : 1));
  const children = childrenOf(node).filter((child) => !isBlank(child));
  const fixed = children.filter((child) => nameOf(child) !== "controller").map(meaning);
  const controllers = children
    .filter((child) => nameOf(child) === "controller")
    .map((child) => JSON.stringify(meaning(child)));
  return [nameOf(node), attributes, fixed, controllers.sort()];
}
