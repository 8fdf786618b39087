/** docs/reference/rest-api.md, made from the OpenAPI document. */
import { errorCodes } from "../../src/domain/error.ts";
import { argumentsOf } from "../../src/serve/http/api-reference-page.ts";
import { statusOfHttp } from "../../src/serve/http/http-error.ts";
import type { OpenApi, Operation } from "../../src/serve/http/openapi-document.ts";
import { statusOf } from "../../src/serve/http/problem.ts";
import { code, table } from "./markdown.ts";

const intro = `# REST API

<!-- Made by scripts/docs.ts from the tools; change those. -->

\`bootwright serve\` offers every tool below \`/api\`, as JSON. A running server has this page for its own tools at \`/api/docs\`, and the same as OpenAPI 3.1 at \`/api/openapi.json\`.

**Who may.** Every request needs \`Authorization: Bearer\` with a token, or the cookie of a browser that is logged in. A token has scopes: \`vm:read\`, \`vm:write\`, \`vm:destroy\`; each place says which one it needs.

**Refusals** are problem documents (RFC 9457, \`application/problem+json\`) with the tools' own \`code\`, \`hint\`, \`next\` call and \`details\`. Where an operation failed, \`outcome\` says how it ended. What loses something for good is refused with \`CONFIRMATION_REQUIRED\` (428) and a token in \`details.confirm\` that is sent back as \`confirm\`.

**Arguments.** A VM is named by its UUID, its name, or \`connection/name\` (the slash as \`%2F\`). GET and DELETE take the others from the query, POST from a JSON body. A list in a query is a repeated key.

**Again.** With \`Idempotency-Key\` a change is carried out once within 24 hours and answered alike each time, as long as something may have been done; what was refused before it began may be sent again. An answer that is a secret (the URL of a guest link) or longer than 1 MiB is not kept, and one that a server did not live to give is lost: the same request is then refused with \`ANSWER_NOT_KEPT\` (409), with the operation to look at. The key belongs to the token, the place and the body (422 for another body, 409 while the first is under way).

**Only if.** A look answers with \`ETag\`; \`If-None-Match\` spares an answer that is known (304). A VM's \`ETag\` in \`If-Match\` keeps a change from being made on another state than the one that was looked at (412). It is compared under the VM's claim, by definition, record and power: what a guest reads and writes meanwhile does not count.

**Not waiting.** With \`Prefer: respond-async\` a change is answered 202 once its operation is on record, with its place in \`Location\`; with \`wait=N\` beside it, only if it is not done within N seconds. What is refused before it begins, what needs nothing, and what is several operations (adopting VMs, rebuilding the database) is answered as usual. A change goes on although its client is gone; a look does not.

**Live.** \`/api/events\` streams what happens. Each event's id is its place in the journal; \`Last-Event-ID\` goes on behind it, and nothing is lost or told twice.

**Bounds.** A body has 1 MiB at most and arrives within 15 s. A token looks 1,000 times and changes 20 times in a second, with some more at once (429 with \`Retry-After\`). Of 1,024 connections at a time 512 may be such that nobody has said who they are on; beyond that the one of them that has been open longest ends.
`;

export function apiPage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(method.toUpperCase(), path, operation)),
  );
  const statuses = [...errorCodes.map((one) => [one, statusOf[one]] as const), ...Object.entries(statusOfHttp)];
  const byStatus = Map.groupBy(statuses, ([, status]) => status);
  const rows = [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, all]) => [String(status), all.map(([one]) => code(one)).join(" ")]);
  return `${intro}\n## Places\n\n${operations.join("\n\n")}\n\n## Statuses\n\n${table(["status", "codes"], rows)}\n`;
}

function section(method: string, path: string, operation: Operation): string {
  const rows = argumentsOf(operation).map(({ name, where, required, type, text }) => [
    `${code(name)}${required ? " \\*" : ""}`,
    where,
    type,
    text,
  ]);
  const example = operation.requestBody?.content["application/json"].example;
  return [
    `### ${method} /api${path}`,
    `${operation.description}`,
    `Scope: ${code(operation.security[0]?.bearer?.join(", ") ?? "")}`,
    ...(rows.length ? [table(["argument", "in", "is", "means"], rows)] : []),
    ...(example === undefined ? [] : [`\`\`\`json\n${JSON.stringify(example)}\n\`\`\``]),
  ].join("\n\n");
}
