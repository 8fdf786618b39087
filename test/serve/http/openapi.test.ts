import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { apiReferencePage } from "../../../src/serve/http/api-reference-page.ts";
import { openApiOf } from "../../../src/serve/http/openapi.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import { openHttp } from "../../support/http.ts";

const document = openApiOf(allTools, "1.2.3");
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect([valid, validator.version]).toEqual([true, "3.1"]);
  });

  it("has every tool at its place, and the older forms", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    const others = ["vm_action", "vm_media", "events", "open_console", "console"];
    expect(ids.toSorted()).toEqual([...allTools.map(({ name }) => name), ...others].toSorted());
    for (const { name, http } of allTools)
      expect(document.paths[http.path]?.[http.method.toLowerCase()]?.operationId).toBe(name);
  });

  it("names only parts that there are, and none in vain", () => {
    const named = new Set(
      [...JSON.stringify(document).matchAll(/"#\/components\/(\w+\/\w+)"/g)].map(([, name]) => name!),
    );
    const parts = ["schemas", "headers", "parameters", "responses"].flatMap((kind) =>
      Object.keys(document.components[kind]!).map((name) => `${kind}/${name}`),
    );
    expect([...named].toSorted()).toEqual(parts.toSorted());
  });

  it("has examples that its own schemas take", () => {
    const ajv = new Ajv2020({ strict: false });
    const bodies = operations.flatMap(({ operation }) => operation.requestBody?.content["application/json"] ?? []);
    const withExample = bodies.filter(({ example }) => example !== undefined);
    expect(withExample.length).toBeGreaterThan(5);
    for (const { schema, example } of withExample) {
      const validate = ajv.compile(schema);
      expect(validate(example), JSON.stringify(validate.errors)).toBe(true);
    }
  });

  it("is what a server answers with, for the tools that it offers", async () => {
    const { ask } = await openHttp({ settings: ["--read-only"] });
    const { body } = await ask("GET", "/api/openapi.json");
    expect(body.openapi).toBe("3.1.1");
    expect(body.paths["/vms"].get.operationId).toBe("list_vms");
    expect(body.paths["/vms"].post).toBeUndefined();
    expect((await ask("POST", "/api/vms", { name: "web" })).status).toBe(405);
    const page = await ask("GET", "/api/docs");
    expect(page.headers.get("content-type")).toBe("text/html; charset=UTF-8");
    expect(page.body).toContain("<code>GET /vms/{vm}</code>");
  });
});

describe("the reference page", () => {
  it("shows what a tool says of itself as text", () => {
    const [tool] = allTools;
    const page = apiReferencePage(openApiOf([{ ...tool!, description: '<script>alert("x")</script>&' }], "1"));
    expect(page).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;");
    expect(page).not.toContain("<script");
  });
});
