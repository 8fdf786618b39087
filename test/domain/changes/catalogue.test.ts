import { describe, expect, test } from "vitest";
import { changes } from "../../../src/domain/changes/catalogue.ts";
import { codeOf, product, read } from "../../support/import-graph.ts";

describe("changes", () => {
  const kinds = Object.keys(changes);
  const areas = [...new Set(kinds.map((kind) => kind.slice(0, kind.indexOf("."))))];
  /** A kind in quotes, or the area of one with its dot in quotes or in a pattern. */
  const namesAChange = (source: string): string[] =>
    [...codeOf(source).matchAll(/["'`/^(|:]([a-z_]+)\\?\.([a-z_]*)/g)]
      .filter(([, area, verb]) => areas.includes(area!) && (verb === "" || kinds.includes(`${area}.${verb}`)))
      .map(([found]) => found);
  const nameless = ["src/domain/engine/", "src/domain/model/", "src/domain/events/", "src/domain/ports/", "src/store/"];

  test.each(product.filter((file) => nameless.some((folder) => file.startsWith(folder))))(
    "%s knows no change by its name: what it asks of one stands in the change's definition",
    (file) => {
      expect(namesAChange(read(file))).toEqual([]);
    },
  );

  test("namesAChange() finds a literal and a pattern, and takes an event for none", () => {
    expect(namesAChange('if (kind === "power.start") {}')).toEqual(['"power.start']);
    expect(namesAChange("/^(?:disk|power)\\./.test(kind) || /^(?:power\\.start)$/.test(kind)")).not.toEqual([]);
    expect(namesAChange('kind.startsWith("disk.")')).not.toEqual([]);
    expect(namesAChange('type: "media.attached", at: vm.name, "disk.io_error"')).toEqual([]);
  });
});
