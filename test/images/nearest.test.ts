import { expect, test } from "vitest";
import { distance, nearest } from "../../src/images/nearest.ts";

test.each([
  ["", "", 0],
  ["abc", "ABC", 0],
  ["kitten", "sitting", 3],
  ["", "abc", 3],
])("distance() between %j and %j is %i", (a, b, edits) => {
  expect(distance(a, b)).toBe(edits);
});

test("distance() is bounded for long names", () => {
  expect(distance("a".repeat(1e6), "b".repeat(1e6))).toBe(80);
});

test("nearest() puts names that contain the text first, then near ones", () => {
  const names = ["ubuntu-24.04.iso", "debian-12.iso", "dbn.iso", "debian-13.iso"];
  expect(nearest("debian", names, 3)).toEqual(["debian-12.iso", "debian-13.iso", "dbn.iso"]);
  expect(nearest("", names, 1)).toEqual(["dbn.iso"]);
});
