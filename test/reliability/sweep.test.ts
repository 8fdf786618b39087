/** After any failure the VM's definition, its disk, its media and the database agree, and the caller is told the truth.
 * Method: an operation of every kind of change, and those of several steps that tools make, are run again and again,
 * each time with another fault at another call on the backend, its images or the store; then the next process looks, and
 * what there is is compared with what was there before, what was asked for, and what the caller was told. */
// @module-tag long
import { afterAll, describe, expect, test } from "vitest";
import { type ChangeKind, changes } from "../../src/domain/changes/catalogue.ts";
import { figure, scaled } from "../support/scale.ts";
import { sweep } from "./sweep.ts";
import { failingCases, kindCases, type SweptCase, toolCases } from "./sweep-cases.ts";
import { modes } from "./sweep-fault.ts";
import { flaws } from "./sweep-flaws.ts";

const LIMIT_MS = 300_000;

/** In CI one fault in so many, and another one of the faults at each call: the number shares no factor with the modes'. */
const stride = scaled(1, 29);
const kinds = Object.keys(changes) as ChangeKind[];
const unlimited = new Set<string>();
let runs = 0;

async function expectNoViolations(swept: SweptCase, first: number, fails = false) {
  const result = await sweep(swept, { fails, chosen: (index) => index % stride === first % stride });
  runs += result.runs;
  for (const call of result.unlimited) unlimited.add(call);
  expect(result.runs).toBeGreaterThan(0);
  expect(result.violations).toEqual([]);
}

afterAll(() => {
  figure("faults swept", runs);
  figure("calls without a limit of their own", [...unlimited].sort().join(", "));
});

describe(`an operation with one of ${modes.length} faults at each of its calls`, () => {
  test.each(kinds)("is settled by the next look, and the caller is told the truth: %s", { timeout: LIMIT_MS }, (kind) =>
    expectNoViolations(kindCases[kind], kinds.indexOf(kind)),
  );

  const tools = Object.keys(toolCases);
  test.each(tools)("is settled by the next look, and the caller is told the truth: %s", { timeout: LIMIT_MS }, (name) =>
    expectNoViolations(toolCases[name]!, tools.indexOf(name)),
  );

  const failing = Object.keys(failingCases);
  test.each(failing)("is settled when its last step is refused besides: %s", { timeout: LIMIT_MS }, (name) =>
    expectNoViolations(failingCases[name]!, failing.indexOf(name), true),
  );

  test("that writes the definition twice leaves the record with what was written last, wherever its process ends", async () => {
    const only = ["is the last before the process ends"] as const;
    expect((await sweep(toolCases["repair_vm of a VM that is gone"]!, { only })).violations).toEqual([]);
  });

  test("once it has begun it waits without a limit for nothing but the store", () => {
    const waits = [...unlimited].filter((call) => call.startsWith("begun: ")).map((call) => call.slice(7));
    expect(["advance", "settle", "release", "operation", "record"]).toEqual(expect.arrayContaining(waits));
  });
});

describe("the sweep itself", () => {
  test.each([
    {
      flaw: "recordAfterApplying",
      mode: "is not reached before the process ends",
      found: /there is no operation, and/,
    },
    {
      flaw: "recoverWithoutLooking",
      mode: "is the last before the process ends",
      found: /is rolled back, and vm\.next/,
    },
    {
      flaw: "believeTheError",
      mode: "works and reports an error",
      found: /answered that it was rolled back, and vm\.next/,
    },
    {
      flaw: "forgetTheCall",
      mode: "is not answered, done after the next look",
      found: /is rolled back, and vm\.next/,
    },
  ] as const)("notices $flaw", { timeout: LIMIT_MS }, async ({ flaw, mode, found }) => {
    const swept = kindCases["boot_order.set"];
    const { violations } = await sweep(swept, { only: [mode], flow: flaws[flaw] });
    expect(violations).toContainEqual(expect.stringMatching(found));
  });
});
