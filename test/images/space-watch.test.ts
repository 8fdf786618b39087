import { describe, expect, test } from "vitest";
import { stepFor } from "../../src/images/space-watch.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

describe("stepFor()", () => {
  test.each([
    ["one image may grow to the reserve of a gibibyte", 10 * GIB, 16 * GIB, 1, 9 * GIB],
    ["of a large file system the reserve is a twentieth", 200 * GIB, 1000 * GIB, 1, 150 * GIB],
    ["of a small one no more than a quarter", 16 * MIB, 16 * MIB, 1, 12 * MIB],
    ["images that share a file system share the room", 10 * GIB, 16 * GIB, 3, 3 * GIB],
    ["no step is too small to be worth a look", GIB + 4096, 16 * GIB, 100, MIB],
    ["below the reserve half of what is left", 100 * MIB, 16 * GIB, 3, 50 * MIB],
    ["with next to nothing left nobody looks any more", MIB, 16 * GIB, 1, 0],
  ])("%s", (_what, freeBytes, totalBytes, sharers, step) => {
    expect(stepFor(freeBytes, totalBytes, sharers)).toBe(step);
  });

  test("a host that fills up is looked at a bounded number of times until it is full", () => {
    let looks = 0;
    for (let free = 1000 * GIB; ; looks++) {
      const step = stepFor(free, 1000 * GIB, 50);
      if (step === 0) break;
      free -= step;
    }
    expect(looks).toBeLessThan(700);
  });
});
