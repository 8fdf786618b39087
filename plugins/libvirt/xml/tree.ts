/** Domain XML as a lossless tree: parses, writes, and reads and changes single nodes.
 *
 * fast-xml-parser destroys domain XML in every configuration but this one (numbers, comments, CDATA, the order of
 * siblings and `&#10;` all suffer), so nothing else in the plugin parses or writes XML. The tree holds raw text:
 * entities are decoded where a value is read and encoded where one is written. */
import { XMLBuilder, XMLParser } from "fast-xml-parser";

const TEXT = "#text";
const CDATA = "#cdata";
const COMMENT = "#comment";
const ATTRIBUTES = ":@";

/** One element, text, comment, CDATA section or processing instruction, as fast-xml-parser's `preserveOrder` makes it:
 * its name is the key beside the attributes. */
export type XmlNode = { [name: string]: XmlNode[] | Record<string, string> | string };

const recipe = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: "",
  processEntities: false,
  textNodeName: TEXT,
  cdataPropName: CDATA,
  commentPropName: COMMENT,
  // A chain of backing files nests one element per file, and libvirt accepts 200 of them.
  maxNestedTags: 1000,
} as const;

/** The parser refuses a whole document with one of these names, which any program may use in its metadata. While
 * parsed, they carry a NUL, which XML cannot contain. */
const REFUSED_NAMES = ["__proto__", "constructor", "prototype"];
const MARK = "\0";
const markName = (name: string) => (REFUSED_NAMES.includes(name) ? MARK + name : name);

const parser = new XMLParser({
  ...recipe,
  transformTagName: markName,
  transformAttributeName: markName,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // The tree keeps names as they are; it is never indexed by a name from the document alone.
  onDangerousProperty: (name) => name,
});

const builder = new XMLBuilder({
  ...recipe,
  suppressEmptyNode: true,
  suppressBooleanAttributes: false,
  // libvirt's virBufferEscapeString leaves a line feed or tab in a value as it is, and reads it back as a space.
  attributeValueProcessor: (_name, value) => String(value).replace(/[\t\n]/g, (char) => `&#${char.charCodeAt(0)};`),
});

/** The root element of a document, for reading.
 * @throws SyntaxError for a text that is not XML, or has a document type (libvirt never writes one) */
export const parseXml = (xml: string): XmlNode => parseDocument(xml).root;

/** The document after `change` of its root element. It ends with a line feed, as libvirt's text does. */
export function editXml(xml: string, change: (root: XmlNode) => void): string {
  const { nodes, root } = parseDocument(xml);
  change(root);
  return `${writeXml(nodes)}\n`;
}

function parseDocument(xml: string): { nodes: XmlNode[]; root: XmlNode } {
  if (xml.includes(MARK)) throw new SyntaxError("Cannot parse XML with a NUL character");
  const prolog = xml.slice(0, Math.max(0, xml.search(/<[^!?]/)));
  if (prolog.includes("<!DOCTYPE")) throw new SyntaxError("Cannot parse XML with a document type");
  const nodes = parse(xml);
  const root = nodes.find(isElement);
  if (root === undefined) throw new SyntaxError("Cannot parse XML: there is no root element");
  return { nodes, root };
}

function parse(xml: string): XmlNode[] {
  try {
    return parser.parse(xml) as XmlNode[];
  } catch (cause) {
    throw new SyntaxError(`Cannot parse XML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export const writeXml = (nodes: readonly XmlNode[]): string => builder.build(nodes).replaceAll(MARK, "");

/** The name of an element; of other nodes, the parser's name for their kind. */
export function nameOf(node: XmlNode): string {
  for (const key of Object.keys(node)) if (key !== ATTRIBUTES) return key;
  return "";
}

export const isElement = (node: XmlNode): boolean => /^[^#?]/.test(nameOf(node));
export const isBlank = (node: XmlNode): boolean => TEXT in node && /^\s*$/.test(String(node[TEXT]));
export const isComment = (node: XmlNode): boolean => COMMENT in node;

/** The live list of a node's children: changing it changes the tree. */
export function childrenOf(node: XmlNode | undefined): XmlNode[] {
  const children = node?.[nameOf(node)];
  return Array.isArray(children) ? children : [];
}

export const elementsOf = (parent: XmlNode | undefined, name?: string): XmlNode[] =>
  childrenOf(parent).filter((node) => (name === undefined ? isElement(node) : nameOf(node) === name));

/** The first descendant along a path of element names. */
export function find(from: XmlNode | undefined, ...path: readonly string[]): XmlNode | undefined {
  let node = from;
  for (const name of path) node = childrenOf(node).find((child) => nameOf(child) === name);
  return node;
}

/** The decoded text of a node: of an element, all text and CDATA directly in it. */
export function textOf(node: XmlNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (TEXT in node) return decode(String(node[TEXT]));
  if (CDATA in node || COMMENT in node)
    return childrenOf(node)
      .map((part) => String(part[TEXT] ?? ""))
      .join("");
  return childrenOf(node)
    .filter((child) => TEXT in child || CDATA in child)
    .map(textOf)
    .join("");
}

const attributesOf = (node: XmlNode): Record<string, string> => (node[ATTRIBUTES] ?? {}) as Record<string, string>;

/** All attributes of an element with their decoded values, namespace declarations included. */
export const attributeEntries = (node: XmlNode): [string, string][] =>
  Object.entries(attributesOf(node)).map(([name, value]) => [name, decode(value)]);

export function attribute(node: XmlNode | undefined, name: string): string | undefined {
  if (node === undefined) return undefined;
  const value = Object.hasOwn(attributesOf(node), name) ? attributesOf(node)[name] : undefined;
  return value === undefined ? undefined : decode(value);
}

/** Sets an attribute, or removes it. One that already has the value is not touched. */
export function setAttribute(node: XmlNode, name: string, value: string | undefined): void {
  if (attribute(node, name) === value) return;
  const { [name]: _replaced, ...others } = attributesOf(node);
  if (value === undefined) node[ATTRIBUTES] = others;
  else node[ATTRIBUTES] = { ...attributesOf(node), [name]: encode(value) };
}

/** A new element. An attribute whose value is `undefined` is left out. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>> = {},
  content: string | readonly (XmlNode | undefined)[] = [],
): XmlNode {
  const children =
    typeof content === "string" ? [{ [TEXT]: encode(content) }] : content.filter((node) => node !== undefined);
  const node: XmlNode = { [name]: [...children] };
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) setAttribute(node, key, String(value));
  }
  return node;
}

/** Puts an element into its parent, indented as the siblings are: before the first sibling that `before` picks, or as
 * the last. */
export function insert(parent: XmlNode, node: XmlNode, before: (sibling: XmlNode) => boolean = () => false): void {
  const siblings = childrenOf(parent);
  const lead = siblings.find((sibling) => isBlank(sibling) && String(sibling[TEXT]).includes("\n"));
  if (lead) indent(node, String(lead[TEXT]));
  const space = lead ? [{ ...lead }] : [];
  const at = siblings.findIndex(before);
  const last = siblings.at(-1);
  if (at >= 0) siblings.splice(at, 0, node, ...space);
  else siblings.splice(last && isBlank(last) ? siblings.length - 1 : siblings.length, 0, ...space, node);
}

/** Picks the siblings with one of these names. */
export const named =
  (...names: readonly string[]) =>
  (node: XmlNode): boolean =>
    names.includes(nameOf(node));

/** Indents a new element's descendants; `lead` is the white space before the element itself. */
export function indent(node: XmlNode, lead = "\n"): XmlNode {
  const children = childrenOf(node);
  if (!children.some(isElement)) return node;
  for (const child of children) indent(child, `${lead}  `);
  const laid = children.flatMap((child) => [{ [TEXT]: `${lead}  ` }, child]);
  children.splice(0, children.length, ...laid, { [TEXT]: lead });
  return node;
}

/** Removes a child and the white space before it. */
export function remove(parent: XmlNode | undefined, node: XmlNode | undefined): void {
  const siblings = childrenOf(parent);
  const at = node === undefined ? -1 : siblings.indexOf(node);
  if (at < 0) return;
  const blank = at > 0 && isBlank(siblings[at - 1]!);
  siblings.splice(blank ? at - 1 : at, blank ? 2 : 1);
}

const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Whether XML has this character (NUL and surrogates are none, and there is none beyond U+10FFFF). */
const isCharacter = (code: number): boolean => code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);

function decode(raw: string): string {
  if (!raw.includes("&")) return raw;
  return raw.replace(
    /&(?:#x([0-9a-f]+)|#([0-9]+)|([a-z]+));/gi,
    (entity, hex?: string, decimal?: string, name = "") => {
      const code = hex !== undefined ? Number.parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : undefined;
      if (code === undefined) return Object.hasOwn(entities, name) ? entities[name]! : entity;
      return isCharacter(code) ? String.fromCodePoint(code) : entity;
    },
  );
}

/** @throws RangeError for a character that XML cannot hold in any form */
function encode(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse
  if (/[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]/.test(value) || !value.isWellFormed()) {
    throw new RangeError(
      `Cannot write ${JSON.stringify(value)} into XML: it contains a character that XML does not allow`,
    );
  }
  return value.replace(/[&<>"'\t\n\r]/g, (char) => {
    const name = Object.keys(entities).find((key) => entities[key] === char);
    return name ? `&${name};` : `&#${char.charCodeAt(0)};`;
  });
}
