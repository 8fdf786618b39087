/** Whatever a client makes of the OpenAPI document, the server answers as the document says and never fails. */
// @module-tag long
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openApiOf } from "../../../src/serve/http/openapi.ts";
import type { Operation } from "../../../src/serve/http/openapi-document.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import { openHere } from "../../support/http-here.ts";
import { scaled } from "../../support/scale.ts";
import { world } from "../../support/world.ts";
import { type Schema, someOf, validOf } from "./schema-values.ts";

const document = openApiOf(allTools, "1");
const ajv = new Ajv2020({ strict: false });
ajv.addSchema({ $id: "api", components: document.components });
const validators = new Map<string, ValidateFunction>();
const validatorOf = (name: string): ValidateFunction => {
  const made = validators.get(name) ?? ajv.compile({ $ref: `api${name}` });
  validators.set(name, made);
  return made;
};

const ask = fc.constantFrom(
  ...Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { operationId }]) => operationId !== "events")
      .map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  ),
);
type Parameter = Readonly<{ name: string; in: string; schema: Schema; required?: boolean }>;
const parametersOf = ({ parameters = [] }: Operation): Parameter[] =>
  parameters.map((one) => {
    const { $ref } = one as { $ref?: string };
    return ($ref ? document.components.parameters![$ref.split("/").at(-1)!] : one) as Parameter;
  });

/** What means something to this server. */
const known: Readonly<Record<string, readonly string[]>> = {
  vm: ["web", "db", "local/web", "nobody"],
  name: ["web", "db"],
  connection: ["local"],
  iso_path: ["installer.iso", "/memory/isos/live.iso", "drivers.iso"],
  drive: ["sda"],
};
/** Nobody is asked whether to go ahead here, and a guest must not be waited for longer than a moment. */
const left = ["confirm"];
const field = (name: string, schema: Schema, isSane: boolean): fc.Arbitrary<unknown> => {
  if (name === "timeout_seconds") return fc.constantFrom(1, ...(isSane ? [] : [0, "x"]));
  return isSane ? validOf(schema, known[name]) : someOf(schema, known[name]);
};

const isSane = fc.oneof({ weight: 2, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) });
const request = fc.tuple(ask, isSane).chain(([{ path, method, operation }, sane]) => {
  const parameters = parametersOf(operation);
  const body = operation.requestBody?.content["application/json"].schema as Schema | undefined;
  const record = (entries: readonly (readonly [string, Schema])[], needed: readonly string[]) =>
    fc.record(
      Object.fromEntries(
        entries
          .filter(([name]) => !sane || !left.includes(name))
          .map(([name, schema]) => [name, field(name, schema, sane)]),
      ),
      { requiredKeys: [...needed] },
    );
  const of = (place: string) =>
    record(
      parameters.filter((one) => one.in === place).map((one) => [one.name, one.schema] as const),
      parameters.filter((one) => one.in === place && one.required).map(({ name }) => name),
    );
  return fc.record({
    path: fc.constant(path),
    method: fc.constant(method),
    operation: fc.constant(operation),
    inPath: of("path"),
    inQuery: of("query"),
    inHeader: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: of("header") }) as ReturnType<
      typeof of
    >,
    body: body
      ? fc.oneof(
          { weight: 9, arbitrary: record(Object.entries(body.properties ?? {}), body.required ?? []) },
          { weight: sane ? 0 : 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
        )
      : fc.constant(undefined),
  });
});

const textOf = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
const encoded = (value: unknown) => encodeURIComponent(textOf(value).toWellFormed());

describe("the server", () => {
  it("answers whatever it is asked as its document says, and never fails", { timeout: 600_000 }, async () => {
    const made = await world({
      config: { installsAfterMs: 0, shutdownMs: 1, installerHonoursShutdown: true, rebootsWhenInstalled: false },
      claimWaitMs: 50,
      newId: () => crypto.randomUUID(),
    });
    const none = { burst: 1e9, perSecond: 1e9 };
    const server = await openHere(made, { rates: { reads: none, changes: none, unauthenticated: none } });
    for (const name of ["web", "db"]) await server.ask("POST", "/api/vms", { name, iso_path: "installer.iso" });
    const seen = new Map<number, number>();
    const property = fc.asyncProperty(request, async ({ path, method, operation, inPath, inQuery, inHeader, body }) => {
      const target = path.replace(/\{(\w+)\}/g, (_all, name: string) => encoded(inPath[name]));
      const query = Object.entries(inQuery).flatMap(([name, value]) =>
        (Array.isArray(value) && value.length ? value : [value]).map((one) => `${name}=${encoded(one)}`),
      );
      const headers = Object.fromEntries(
        Object.entries(inHeader).map(([name, value]) => [name.toLowerCase(), textOf(value).replace(/[^!-~ ]/g, "")]),
      );
      const answer = await server.ask(
        method,
        `/api${target}${query.length ? `?${query.join("&")}` : ""}`,
        body === undefined ? undefined : JSON.stringify(body),
        { headers },
      );
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      expect(server.defects).toEqual([]);
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(500);
      if (answer.status === 304) return;
      const name = schemaFor(operation, answer.status);
      const validate = validatorOf(name);
      expect(validate(answer.body), `${name}: ${JSON.stringify([validate.errors, answer.body])}`).toBe(true);
    });
    await fc.assert(property, { numRuns: scaled(2_000, 800) });
    // Not everything was refused, and not everything for one reason.
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 409, 412, 422, 428]));
  });
});

/** Where the document says what an answer with this status is, as a pointer into it. */
function schemaFor(operation: Operation, status: number): string {
  const documented = operation.responses[status] ?? operation.responses[`${String(status)[0]}XX`];
  if (!documented) throw new Error(`${operation.operationId} does not say what ${status} is`);
  if (status === 202) return "#/components/responses/Begun/content/application~1json/schema";
  if (status >= 400) return "#/components/schemas/Problem";
  const { content } = documented as { content: { "application/json": { schema: { $ref: string } } } };
  return content["application/json"].schema.$ref;
}
