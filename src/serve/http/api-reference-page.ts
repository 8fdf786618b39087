/** The OpenAPI document as plain HTML without scripts. */
import type { OpenApi, Operation } from "./openapi-document.ts";

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const html = (text: unknown) => String(text).replace(/[&<>"']/g, (character) => escapes[character]!);

type Schema = Readonly<{
  type?: string;
  enum?: readonly unknown[];
  description?: string;
  default?: unknown;
  items?: Schema;
  anyOf?: readonly Schema[];
}>;

/** A schema's type in a few words. */
export function typeOf({ type, enum: values, items, anyOf }: Schema): string {
  if (values) return values.length > 12 ? "a code" : values.join(", ");
  if (items) return `list of ${typeOf(items)}`;
  return anyOf ? anyOf.map(typeOf).join(" or ") : (type ?? "anything");
}

export type Argument = Readonly<{ name: string; where: string; required: boolean; type: string; text: string }>;

/** An operation's arguments in path, query and body. Headers are left out, since all operations share them. */
export function argumentsOf(operation: Operation): Argument[] {
  const argument = (name: string, where: string, required: boolean, schema: Schema): Argument => ({
    name,
    where,
    required,
    type: typeOf(schema),
    text: [schema.description, schema.default !== undefined && `Default: ${JSON.stringify(schema.default)}`]
      .filter(Boolean)
      .join(". "),
  });
  const parameters = (operation.parameters ?? []) as {
    name?: string;
    in: string;
    required?: boolean;
    schema: Schema;
  }[];
  const named = parameters
    .filter((one) => one.name !== undefined && one.in !== "header")
    .map((one) => argument(one.name!, one.in, one.required === true, one.schema));
  const body = operation.requestBody?.content["application/json"].schema as
    | { properties: Record<string, Schema>; required?: string[] }
    | undefined;
  const sent = Object.entries(body?.properties ?? {}).map(([name, schema]) =>
    argument(name, "body", body?.required?.includes(name) === true, schema),
  );
  return [...named, ...sent];
}

export function apiReferencePage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(method.toUpperCase(), path, operation)),
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bootwright's REST interface</title>
<link rel="stylesheet" href="/api/docs.css">
<h1>Bootwright's REST interface</h1>
<p>As <a href="/api/openapi.json">OpenAPI 3.1</a>. Every path is below <code>/api</code>.</p>
${operations.join("\n")}
</html>
`;
}

function section(method: string, path: string, operation: Operation): string {
  const rows = argumentsOf(operation).map(
    ({ name, where, required, type, text }) =>
      `<tr><td><code>${html(name)}</code>${required ? " *" : ""}<td>${html(where)}<td>${html(type)}<td>${html(text)}`,
  );
  const example = operation.requestBody?.content["application/json"].example;
  return `<section id="${html(operation.operationId)}">
<h2><code>${method} ${html(path)}</code> ${html(operation.summary)}</h2>
<p>${html(operation.description)}</p>
<p>Scope: <code>${html(operation.security[0]?.bearer?.join(", "))}</code></p>
${rows.length ? `<table><tr><th>argument<th>in<th>is<th>means${rows.join("")}</table>` : ""}
${example === undefined ? "" : `<pre>${html(JSON.stringify(example, null, 2))}</pre>`}
</section>`;
}

export const apiReferenceStyle = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.1rem; margin-top: 2.5rem; }
section { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-top: 1px solid; }
`;
