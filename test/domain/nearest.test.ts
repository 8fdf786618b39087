import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nearestFirst } from "../../src/domain/nearest.ts";

describe("nearestFirst()", () => {
  test("nearestFirst() puts what was meant first", () => {
    expect(nearestFirst("wbe", ["database", "web", "mail"])[0]).toBe("web");
    expect(nearestFirst("debian-12.iso", ["debian-13.iso", "alpine.iso", "debian-11-netinst.iso"])[0]).toBe(
      "debian-13.iso",
    );
  });

  test("nearestFirst() puts names that contain what was typed before those that only look like it", () => {
    const names = ["ubuntu-24.04.iso", "debian-12.iso", "dbn.iso", "debian-13.iso"];
    expect(nearestFirst("debian", names, 3)).toEqual(["debian-12.iso", "debian-13.iso", "dbn.iso"]);
  });

  test("nearestFirst() is bounded for long names", () => {
    expect(nearestFirst("a".repeat(1e6), ["b".repeat(1e6)])).toHaveLength(1);
  });

  test("nearestFirst() does not care about upper case", () => {
    expect(nearestFirst("WEB", ["wab", "web"])).toEqual(["web", "wab"]);
  });

  test("nearestFirst() sorts what is equally near by name, and names each once", () => {
    expect(nearestFirst("x", ["c", "a", "b", "a"])).toEqual(["a", "b", "c"]);
  });

  test("nearestFirst() names at most twenty unless told", () => {
    const many = Array.from({ length: 100 }, (_, index) => `vm-${index}`);
    expect(nearestFirst("vm-7", many)).toHaveLength(20);
    expect(nearestFirst("vm-7", many, 3)).toHaveLength(3);
    expect(nearestFirst("", [])).toEqual([]);
  });

  test("nearestFirst() puts a name that is known before every other", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 15 }), fc.nat(), (names, pick) => {
        const typed = names[pick % names.length]!;
        expect(nearestFirst(typed, names)[0]!.toLowerCase()).toBe(typed.toLowerCase());
      }),
    );
  });
});
