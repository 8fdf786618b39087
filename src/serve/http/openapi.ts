/** The REST interface as an OpenAPI 3.1 document, generated from the tools. */

import { z } from "zod";
import { errorCodes } from "../../domain/error.ts";
import { scopeFor, scopes } from "../../domain/scope.ts";
import { ChangeView } from "../../tools/change.ts";
import type { Tool } from "../../tools/tool.ts";
import { FindingView, FixView, PredictionView, VmView } from "../../tools/view.ts";
import { examples } from "./example.ts";
import { httpCodes } from "./http-error.ts";
import { consolePaths } from "./openapi-console.ts";
import type { Json, OpenApi, Operation } from "./openapi-document.ts";
import { PROBLEM_TYPE, Problem } from "./problem.ts";
import { parametersOf, type Route, routesOf } from "./route.ts";

const refTo = (kind: string, name: string) => ({ $ref: `#/components/${kind}/${name}` });
const json = (schema: Json, example?: unknown) => ({
  "application/json": { schema, ...(example !== undefined && { example }) },
});

/** The document for these tools. `version` is the program's. */
export function openApiOf(tools: readonly Tool[], version: string): OpenApi {
  const routes = routesOf(tools);
  const { schemas, nameOf } = answersOf(routes);
  const paths: OpenApi["paths"] = {};
  for (const route of routes) {
    const operation = { [route.method.toLowerCase()]: operationOf(route, nameOf(route)) };
    paths[route.path] = { ...paths[route.path], ...operation };
  }
  paths["/events"] = { get: eventsOperation };
  if (tools.some(({ effect }) => effect !== "read")) Object.assign(paths, consolePaths);
  return {
    openapi: "3.1.1",
    info: {
      title: "Bootwright",
      version,
      summary: "Takes a virtual machine from an installer ISO to running from its own disk",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api" }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: `A token of this server. Its scopes: ${scopes.join(", ")}`,
        },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "bootwright-8420",
          description: "The cookie of a logged-in browser; its name ends with the port",
        },
      },
      schemas,
      headers: {
        ETag: { description: "For If-None-Match and, of one VM, for If-Match", schema: { type: "string" } },
        RetryAfter: { description: "Seconds to wait before a retry", schema: { type: "string" } },
      },
      parameters: headerParameters,
      responses: {
        Refused: {
          description: "Refused: code, reason and hint",
          headers: { "Retry-After": refTo("headers", "RetryAfter") },
          content: { [PROBLEM_TYPE]: { schema: refTo("schemas", "Problem") } },
        },
        Begun: {
          description: "The operation has begun and can be followed at Location; the answer to Prefer: respond-async",
          headers: { Location: { schema: { type: "string" } } },
          content: json({
            type: "object",
            properties: { operation: { type: "string" } },
            required: ["operation"],
            additionalProperties: false,
          }),
        },
        Unchanged: { description: "The answer still has an entity tag of If-None-Match" },
      },
    },
  };
}

const header = (name: string, description: string, schema: Json = { type: "string" }) => ({
  name,
  in: "header",
  description,
  schema,
});
const headerParameters = {
  IfNoneMatch: header("If-None-Match", "ETags of known answers"),
  IfMatch: header("If-Match", "ETags of the VM: the change is made only if one of them still matches, else 412"),
  IdempotencyKey: header(
    "Idempotency-Key",
    "Any text. Within 24 hours requests with the same key are carried out once and get the first answer, or 409 if that was not stored",
    { type: "string", minLength: 1, maxLength: 200, pattern: "^[!-~]+$" },
  ),
  Prefer: header(
    "Prefer",
    "respond-async: answer 202 once the operation has begun; with wait=N, only if it is not done within N seconds",
  ),
};

function operationOf(route: Route, answer: string): Operation {
  const isLook = route.effect === "read";
  const names = parametersOf(route.path);
  const { properties = {}, required = [] } = schemaOf(route.input);
  const inPath = names.map((name) => ({ name, in: "path", required: true, schema: properties[name]! }));
  const others = Object.entries(properties).filter(([name]) => !names.includes(name));
  const inQuery = others.map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
  const common = isLook
    ? ["IfNoneMatch"]
    : ["IdempotencyKey", ...(route.conditional ? ["IfMatch"] : []), ...(route.followable ? ["Prefer"] : [])];
  const success = {
    description: route.made ? "Made" : "Done",
    headers: isLook ? { ETag: refTo("headers", "ETag") } : {},
    content: json(refTo("schemas", answer)),
  };
  return {
    operationId: route.id,
    summary: route.title,
    description: route.description,
    tags: [route.path.split("/")[1]!],
    security: [{ bearer: [scopeFor[route.effect]] }, { session: [] }],
    parameters: [
      ...inPath,
      ...(route.method === "POST" ? [] : inQuery),
      ...common.map((name) => refTo("parameters", name)),
    ],
    ...(route.method === "POST" && { requestBody: bodyOf(route, others, required) }),
    responses: {
      200: route.made ? { ...success, description: "Nothing was made: a dry run" } : success,
      ...(route.made && { [route.made]: { ...success, headers: { Location: { schema: { type: "string" } } } } }),
      ...(isLook && { 304: refTo("responses", "Unchanged") }),
      ...(!isLook && route.followable && { 202: refTo("responses", "Begun") }),
      "4XX": refTo("responses", "Refused"),
      "5XX": refTo("responses", "Refused"),
    },
  };
}

function bodyOf(route: Route, others: [string, Json][], required: readonly string[]) {
  const needed = others.map(([name]) => name).filter((name) => required.includes(name));
  const schema = {
    type: "object",
    properties: Object.fromEntries(others),
    ...(needed.length && { required: needed }),
    additionalProperties: false,
  };
  return { required: needed.length > 0, content: json(schema, examples[route.id]) };
}

type ObjectSchema = { properties?: Record<string, Json>; required?: string[] };
const schemaOf = (schema: z.ZodObject): ObjectSchema =>
  z.toJSONSchema(z.strictObject(schema.shape), { io: "input" }) as unknown as ObjectSchema;

const shared = { Change: ChangeView, Vm: VmView, Finding: FindingView, Fix: FixView, Prediction: PredictionView };

/** The schemas of the answers, each once. */
function answersOf(routes: readonly Route[]): { schemas: Record<string, Json>; nameOf: (route: Route) => string } {
  const registry = z.registry<{ id: string }>();
  const names = new Map<z.ZodType, string>();
  const add = (name: string, schema: z.ZodType) => {
    if (names.has(schema)) return;
    names.set(schema, name);
    registry.add(schema, { id: name });
  };
  for (const [name, schema] of Object.entries(shared)) add(name, schema);
  const pascal = (id: string) => id.replace(/(?:^|_)(\w)/g, (_all, letter: string) => letter.toUpperCase());
  for (const { id, output } of routes) add(`${pascal(id)}Answer`, output);
  const code = z.enum([...errorCodes, ...httpCodes] as [string, ...string[]]);
  add("Problem", Problem.extend({ code: code.describe("Never renamed") }));
  const made = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}`, io: "output" });
  const plain = Object.entries(made.schemas).map(([name, { $id: _id, $schema: _dialect, ...schema }]) => [
    name,
    schema,
  ]);
  return { schemas: Object.fromEntries(plain), nameOf: ({ output }) => names.get(output)! };
}

const eventsOperation: Operation = {
  operationId: "events",
  summary: "Follow events",
  description:
    "Follow events as server-sent events: data is a CloudEvent, id its place in the journal. Last-Event-ID resumes after a place. An event named lost means that older events are gone, so read everything again.",
  tags: ["events"],
  security: [{ bearer: ["vm:read"] }, { session: [] }],
  parameters: [
    header("Last-Event-ID", "The place to resume from", { type: "string", pattern: "^[0-9]{1,15}$" }),
    {
      name: "after",
      in: "query",
      description: "The same, for clients that cannot send the header",
      schema: { type: "integer" },
    },
  ],
  responses: {
    200: { description: "The stream", content: { "text/event-stream": { schema: { type: "string" } } } },
    "4XX": refTo("responses", "Refused"),
    "5XX": refTo("responses", "Refused"),
  },
};
