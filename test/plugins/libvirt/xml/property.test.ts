// @module-tag long
// Goal: what Bootwright does not edit in a definition comes back as it was, whatever else is in it. Method: random
// documents around a real domain's shape, edited by every function that writes; compared by a canonical form that is
// written without the parser under test. What cannot be seen: what libvirt itself makes of them (domain-xml.real.test.ts).

import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  deviceXml,
  meaningOf,
  parseDomain,
  withBootOrder,
  withClaim,
  withMedia,
} from "../../../../plugins/libvirt/domain-xml.ts";
import { withDrive, withoutDrive } from "../../../../plugins/libvirt/xml/media.ts";
import {
  attribute,
  attributeEntries,
  editXml,
  element,
  elementsOf,
  find,
  nameOf,
  parseXml,
  setAttribute,
  textOf,
  writeXml,
} from "../../../../plugins/libvirt/xml/tree.ts";
import { presetOrders } from "../../../../src/domain/model/boot-order.ts";
import { scaled } from "../../../support/scale.ts";
import { canonical, withoutBoot } from "../canonical.ts";

vi.setConfig({ testTimeout: 600_000 });

const seed = Number(process.env.BOOTWRIGHT_SEED ?? Date.now() % 2 ** 31);
const check = <T extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  property: (...values: T) => void,
  numRuns = scaled(2_000, 100),
) => fc.assert(fc.property(...arbitraries, property), { numRuns, seed });

/** Characters that XML can hold, those that it must escape first of all. */
const allowed = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML cannot hold
  text.isWellFormed() && !/[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]/.test(text);
const character = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(..."&<>'\"; #x]-!?/=\t\n\r") },
  {
    weight: 2,
    arbitrary: fc.constantFrom("é", "\u202e", "𝕋", "\u0301", "\ufeff", "\u2028", "\u0085", "&amp;", "]]>", "-->"),
  },
  { weight: 3, arbitrary: fc.constantFrom(..."abz09._") },
);
const anyText = fc
  .array(character, { maxLength: 12 })
  .map((parts) => parts.join(""))
  .filter(allowed);

const escaped = (text: string) => text.replace(/[&<>'"\t\n\r]/g, (one) => `&#${one.charCodeAt(0)};`);
const local = fc.constantFrom(
  "a",
  "disk",
  "source",
  "boot",
  "x-y",
  "constructor",
  "toString",
  "__proto__",
  "os",
  "k.1",
  "é",
);
const prefixed = fc.oneof(
  { weight: 4, arbitrary: local },
  { weight: 1, arbitrary: local.map((name) => `qemu:${name}`) },
);

/** A document's piece, with every kind of node that XML has, in a shape that the parser under test did not make. */
const { piece } = fc.letrec<{ piece: string; nodes: string }>((tie) => ({
  nodes: fc.array(tie("piece"), { maxLength: 4 }).map((pieces) => pieces.join("")),
  piece: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    anyText.map(escaped),
    fc.constantFrom("\n  ", " ", "&#10;", "&lt;&amp;&gt;&quot;&apos;", "&#x1F600;"),
    anyText
      .filter((text) => !text.includes("--") && !text.endsWith("-") && !text.includes("\r"))
      .map((text) => `<!--${text}-->`),
    anyText.filter((text) => !text.includes("]]>") && !text.includes("\r")).map((text) => `<![CDATA[${text}]]>`),
    fc
      .tuple(
        prefixed,
        fc.uniqueArray(fc.tuple(prefixed, anyText, fc.constantFrom('"', "'")), {
          maxLength: 4,
          selector: ([name]) => name,
        }),
        fc.oneof(fc.constant(undefined), tie("nodes")),
      )
      .map(([name, attributes, inner]) => {
        const written = attributes.map(([key, value, quote]) => ` ${key}=${quote}${escaped(value)}${quote}`).join("");
        return inner === undefined ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`;
      }),
  ),
}));
const pieces = fc.array(piece, { maxLength: 5 }).map((all) => all.join(""));

/** A domain with foreign pieces in every place that libvirt lets one be, and in some where it does not. */
const domain = fc
  .record({
    before: pieces,
    inMetadata: pieces,
    inOs: pieces,
    inDisk: pieces,
    inDrive: pieces,
    inDevices: pieces,
    after: pieces,
  })
  .map(
    ({ before, inMetadata, inOs, inDisk, inDrive, inDevices, after }) => `<?xml version="1.0"?>
<!-- made by hand -->
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web &amp; more</name>
  <uuid>3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10</uuid>
  <metadata><x:y xmlns:x='urn:x'>${inMetadata}</x:y></metadata>
  <extra>${before}</extra>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='cdrom'/><boot dev='hd'/><smbios mode='host'/><extra>${inOs}</extra></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/a.qcow2'/><target dev='vda' bus='virtio'/><extra>${inDisk}</extra></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/><extra>${inDrive}</extra></disk>
    <extra>${inDevices}</extra>
  </devices>
  <qemu:commandline>${after}</qemu:commandline>
</domain>
`,
  );

/** The canonical lines that are only in one of two texts. */
function difference(before: string, after: string): string[] {
  const count = (xml: string) => {
    const lines = new Map<string, number>();
    for (const line of canonical(xml, { exact: false }).split("\n")) lines.set(line, (lines.get(line) ?? 0) + 1);
    return lines;
  };
  const [was, is] = [count(before), count(after)];
  return [...new Set([...was.keys(), ...is.keys()])].filter((line) => was.get(line) !== is.get(line)).sort();
}

describe(`A definition with anything in it (BOOTWRIGHT_SEED=${seed})`, () => {
  test("comes back byte by byte as the same document, and the second time unchanged", () => {
    check([domain], (xml) => {
      const written = editXml(xml, () => {});
      // White space around the root element is nobody's.
      const root = (text: string) => canonical(text.slice(text.indexOf("<domain")).trimEnd(), { exact: true });
      expect(root(written)).toBe(root(xml));
      expect(canonical(written)).toBe(canonical(xml));
      expect(editXml(written, () => {})).toBe(written);
    });
  });

  test("keeps everything but the boot order when that is set", () => {
    check([domain, fc.constantFrom(...presetOrders)], (xml, order) => {
      const written = withBootOrder(xml, order);
      expect(withoutBoot(canonical(written))).toBe(withoutBoot(canonical(xml)));
      expect(withBootOrder(written, order)).toBe(written);
    });
  });

  test("keeps everything but the source when a medium is put in, whatever its path, and is as before once it is out", () => {
    check([domain, anyText.filter((text) => text !== "")], (xml, path) => {
      const written = withMedia(xml, path);
      expect(parseDomain(written).definition.drives[0]!.path).toBe(path);
      expect(difference(xml, written)).toEqual(["/source", `source file=${JSON.stringify(path)}`]);
      expect(canonical(withMedia(written, undefined))).toBe(canonical(xml));
    });
  });

  test("keeps everything but the claim when that is written, and is as before once it is gone", () => {
    const status = fc.constantFrom("NotInstalled", "Installed");
    check([domain, fc.nat(), fc.oneof(status, anyText)], (xml, revision, word) => {
      const claim = { uuid: "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10", revision, status: word };
      const written = withClaim(xml, claim);
      expect(parseDomain(written).claim).toEqual(claim);
      expect(meaningOf(written)).toBe(meaningOf(xml));
      expect(canonical(withClaim(written, undefined))).toBe(canonical(xml));
    });
  });

  test("is the same whichever of two edits comes first", () => {
    const claim = { uuid: "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10", revision: 3, status: "Installed" };
    check([domain, fc.constantFrom(...presetOrders), anyText.filter((text) => text !== "")], (xml, order, path) => {
      const edits = [
        (text: string) => withBootOrder(text, order),
        (text: string) => withMedia(text, path, "sda"),
        (text: string) => withClaim(text, claim),
        (text: string) => withDrive(text, "sdq", "sata"),
      ];
      const all = (texts: typeof edits) => canonical(texts.reduce((text, edit) => edit(text), xml));
      expect(all([...edits].reverse())).toBe(all(edits));
    });
  });

  test("is as before once a drive was added and taken away again", () => {
    check([domain], (xml) => {
      const written = withDrive(xml, "sdq", "sata");
      expect(parseDomain(written).definition.drives.map(({ target }) => target)).toContain("sdq");
      expect(canonical(withoutDrive(written, "sdq"))).toBe(canonical(xml));
    });
  });

  test("gives one device's element whole", () => {
    check([domain], (xml) => {
      const disk = elementsOf(find(parseXml(xml), "devices"), "disk")[0]!;
      expect(canonical(deviceXml(xml, "disk", "vda"))).toBe(canonical(writeXml([disk])));
    });
  });

  test("has one meaning however its attributes are ordered and quoted", () => {
    check([domain], (xml) => {
      const turned = editXml(xml, function turn(node) {
        const entries = attributeEntries(node);
        for (const [name] of entries) setAttribute(node, name, undefined);
        for (const [name, value] of entries.reverse()) setAttribute(node, name, value);
        elementsOf(node).forEach(turn);
      });
      expect(meaningOf(turned)).toBe(meaningOf(xml));
    });
  });
});

describe("Text from a caller", () => {
  test("comes back as it was, in an attribute and in an element, and makes no node", () => {
    check(
      [anyText, anyText],
      (value, content) => {
        const xml = writeXml([element("a", { b: value }, content)]);
        const root = parseXml(`<r>${xml}</r>`);
        const [node, ...others] = elementsOf(root);
        expect(others).toEqual([]);
        expect(elementsOf(node)).toEqual([]);
        expect([nameOf(node!), attribute(node, "b"), textOf(node)]).toEqual(["a", value, content]);
        expect(attributeEntries(node!)).toEqual([["b", value]]);
      },
      scaled(20_000, 500),
    );
  });

  test("that XML cannot hold is refused, never changed", () => {
    const bad = fc.constantFrom("\0", "\x01", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800", "\udc00");
    check([anyText, bad, anyText], (before, one, after) => {
      expect(() => element("a", { b: before + one + after })).toThrow(RangeError);
      expect(() => element("a", {}, before + one + after)).toThrow(RangeError);
    });
  });
});

describe("What is no definition", () => {
  test("is refused with a SyntaxError or read, and never hangs or runs anything", () => {
    const broken = fc.tuple(domain, fc.nat(), fc.nat({ max: 40 }), fc.string({ unit: "binary", maxLength: 6 }));
    check(
      [broken],
      ([xml, at, cut, put]) => {
        const place = at % xml.length;
        const text = xml.slice(0, place) + put + xml.slice(place + cut);
        try {
          parseDomain(text);
          meaningOf(text);
        } catch (error) {
          expect((error as Error).name, text).toBe("SyntaxError");
        }
      },
      scaled(5_000, 200),
    );
  });

  test.each([
    ["nothing", ""],
    ["text", "hello"],
    ["a document type", '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><domain>&e;</domain>'],
    ["a document type behind a comment", '<!-- x --><!DOCTYPE d [<!ENTITY e "x">]><domain>&e;</domain>'],
  ])("is refused: %s", (_name, xml) => {
    expect(() => parseDomain(xml)).toThrow(SyntaxError);
  });

  test("keeps entities that are not XML's own, and characters that do not exist, as they are", () => {
    for (const raw of ["&nbsp;", "&xxe;", "&#x110000;", "&#xD800;", "&#99999999999;", "&#0;"]) {
      const root = parseXml(`<domain><name a="${raw}">${raw}</name></domain>`);
      expect(textOf(find(root, "name"))).toBe(raw);
      expect(attribute(find(root, "name"), "a")).toBe(raw);
    }
  });
});
