import { describe, expect, test } from "vitest";
import { CLAIM_NAMESPACE, claimXml, parseDomain, withClaim } from "../../../../plugins/libvirt/domain-xml.ts";

const uuid = "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10";
const claim = { uuid, revision: 7, status: "Installing" } as const;

describe("withClaim()", () => {
  const bare = "<domain type='qemu'>\n  <name>x</name>\n  <uuid>u</uuid>\n  <memory>1</memory>\n  <os/>\n</domain>";

  test("adds a tag that is read back, and takes it away without a trace", () => {
    const tagged = withClaim(bare, claim);
    expect(parseDomain(tagged).claim).toEqual(claim);
    expect(tagged).toMatch(
      /<\/uuid>\n {2}<metadata>\n {4}<bootwright:vm xmlns:bootwright="[^"]+" uuid="[^"]+" revision="7" status="Installing"\/>\n {2}<\/metadata>\n {2}<memory>/,
    );
    expect(withClaim(tagged, undefined)).toBe(withClaim(bare, undefined));
    expect(withClaim(tagged, { ...claim, revision: 8 }).match(/<bootwright:vm/g)).toHaveLength(1);
  });

  test.each([
    `<metadata><b:vm xmlns:b='${CLAIM_NAMESPACE}' uuid='${uuid}' revision='7' status='Installing'/></metadata>`,
    `<metadata><vm xmlns='${CLAIM_NAMESPACE}' uuid='${uuid}' revision='7' status='Installing'/></metadata>`,
    `<metadata xmlns:o='${CLAIM_NAMESPACE}'><o:vm uuid='${uuid}' revision='7' status='Installing'/></metadata>`,
  ])("reads and replaces %s", (metadata) => {
    const xml = bare.replace("<memory>", `${metadata}<memory>`);
    expect(parseDomain(xml).claim).toEqual(claim);
    const next = withClaim(xml, { ...claim, status: "Installed" });
    expect(parseDomain(next).claim).toEqual({ ...claim, status: "Installed" });
    expect(next.match(/vm /g)).toHaveLength(1);
  });

  test.each([
    `<metadata><vm uuid='${uuid}' revision='7' status='x'/></metadata>`,
    `<metadata><b:vm xmlns:b='https://example.com' uuid='${uuid}' revision='7' status='x'/></metadata>`,
    `<metadata><b:vm xmlns:b='${CLAIM_NAMESPACE}' uuid='${uuid}' revision='seven' status='x'/></metadata>`,
  ])("takes %s for no claim", (metadata) => {
    expect(parseDomain(bare.replace("<memory>", `${metadata}<memory>`)).claim).toBeUndefined();
  });

  test("claimXml() leaves prefix and namespace to virDomainSetMetadata", () => {
    expect(claimXml(claim)).toBe(`<vm uuid="${uuid}" revision="7" status="Installing"/>`);
  });
});
