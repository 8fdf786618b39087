/** The suite that every store passes, whatever database is behind it. Two stores of one database live as long as the suite,
 * each as a process of its own; others come and are killed. No test needs what another left. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { claimContract } from "./contract-claims.ts";
import { eventContract } from "./contract-events.ts";
import type { Harness, Test } from "./contract-harness.ts";
import { jobContract } from "./contract-jobs.ts";
import { operationContract } from "./contract-operations.ts";
import { requestContract } from "./contract-requests.ts";
import type { SharedDatabase } from "./shared-databases.ts";

export type StoreContract = Readonly<{
  name: string;
  open: () => Promise<SharedDatabase>;
  skip?: readonly Readonly<{ test: string; reason: string }>[];
}>;

/** Processes are started in some tests, on a machine that may be busy. */
const TEST_MS = 120_000;

export function storeContract({ name, open, skip = [] }: StoreContract): void {
  describe(`store contract: ${name}`, () => {
    const titles = new Set<string>();
    let shared: SharedDatabase;
    let harness: Harness;

    beforeAll(async () => {
      shared = await open();
      const [one, two] = [await shared.store(), await shared.store()];
      const vm = () => ({ connection: "local", uuid: crypto.randomUUID() });
      harness = { one, two, start: () => shared.storeProcess(), vm };
    }, TEST_MS);
    afterAll(() => shared?.close(), TEST_MS);

    /** A test of the contract: skipped only by the list, which shows its reason. */
    const test: Test = (title, body) => {
      titles.add(title);
      const skipped = skip.find((one) => one.test === title);
      if (skipped) it.skip(`${title} (skipped: ${skipped.reason})`, () => {});
      else it(title, async () => void (await body(harness)), TEST_MS);
    };

    operationContract(test);
    claimContract(test);
    eventContract(test);
    requestContract(test);
    jobContract(test);

    it("skips only tests that there are, and says why", ({ expect }) => {
      expect(skip.filter((one) => !titles.has(one.test) || one.reason === "")).toEqual([]);
    });
  });
}
