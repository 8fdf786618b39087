/** The MCP project's own conformance suites, against `/mcp` of this server: once with what Bootwright has, and once with the
 * fixtures that most scenarios call by name, on the same wiring. */
// @module-tag process
import { describe, expect, onTestFinished, test } from "vitest";
import type { AppContext } from "../../../src/serve/app-context.ts";
import { serveHttp } from "../../../src/serve/http/server.ts";
import { openHttp } from "../../support/http.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import { bootwright, fixtures, type NotApplicable } from "./conformance/expected.ts";
import { fixtureServer } from "./conformance/fixture-server.ts";
import { openDoor, run, scenariosOf } from "./conformance/suite.ts";

const revisions = ["2025-11-25", "2026-07-28"] as const;
const SUITE_LIMIT_MS = 280_000;

/** Scenarios and checks that passed. What fails has to be on the list. */
async function passed(url: string, revision: string, notApplicable: NotApplicable) {
  const results = await run(url, temporaryDirectory(), ["--requirements", revision]);
  const applies = (key: string) => !Object.hasOwn(notApplicable, key);
  const applicable = results.filter(({ scenario }) => applies(scenario));
  const checks = applicable.flatMap(({ scenario, checks }) =>
    checks.filter(({ id }) => applies(`${scenario}/${id}`)).map((check) => ({ scenario, ...check })),
  );
  const failed = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
  expect(failed.map(({ scenario, id, errorMessage }) => `${scenario}/${id}: ${errorMessage}`)).toEqual([]);
  return { scenarios: applicable.length, checks: checks.filter(({ status }) => status === "SUCCESS").length };
}

describe("the suites' fixtures on this wiring", () => {
  /** Nothing ever happens in its journal. */
  const journal = { lastEvent: async () => 0, events: async () => [], onChange: () => () => undefined };
  const defect = (error: unknown) => {
    throw error;
  };
  const context = () => ({ store: async () => journal });
  const session = { tools: [], confirm: "token", version: "1", context, defect } as unknown as AppContext;

  async function open(): Promise<string> {
    const token = "x".repeat(40);
    const data = temporaryDirectory();
    const door = await openDoor(async (port) => {
      const server = await serveHttp({
        ...{ appContext: session, data, token, address: "127.0.0.1", port: 0, log: () => undefined },
        allowHosts: [`localhost:${port}`, `127.0.0.1:${port}`],
        mcp: { build: fixtureServer },
      });
      onTestFinished(() => server.close());
      return { url: server.url, token };
    });
    onTestFinished(() => door.close());
    return door.url;
  }

  test.each([
    ["2025-11-25", { scenarios: 33, checks: 84 }],
    ["2026-07-28", { scenarios: 41, checks: 150 }],
  ] as const)("pass all that %s requires", { timeout: SUITE_LIMIT_MS }, async (revision, counts) => {
    expect(await passed(await open(), revision, fixtures)).toEqual(counts);
  });
});

test.each([
  ["2025-11-25", { scenarios: 7, checks: 17 }],
  ["2026-07-28", { scenarios: 11, checks: 64 }],
] as const)(
  "Bootwright itself passes what of %s needs no fixtures",
  { timeout: SUITE_LIMIT_MS },
  async (revision, counts) => {
    const door = await openDoor((port) =>
      openHttp({ settings: ["--allow-host", `localhost:${port}`, "--allow-host", `127.0.0.1:${port}`] }),
    );
    onTestFinished(() => door.close());
    expect(await passed(door.url, revision, bootwright)).toEqual(counts);
  },
);

test("every entry of the lists is a scenario that is run", () => {
  const known = new Set(revisions.flatMap(scenariosOf));
  expect(Object.keys(bootwright).filter((key) => !known.has(key.split("/", 1)[0]!))).toEqual([]);
});
