/** Every refusal there is, as it goes over the wire. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { DomainError, type ErrorCode, errorCodes } from "../../../src/domain/error.ts";
import { HttpError, httpCodes, statusOfHttp } from "../../../src/serve/http/http-error.ts";
import { Problem, problemOf, statusOf } from "../../../src/serve/http/problem.ts";
import { nextTool } from "../../../src/tools/respond.ts";
import { defineTool, type Tool } from "../../../src/tools/tool.ts";
import { openHere } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

/** Lists that the texts of some refusals are made of. */
const details = {
  ...{ issues: [], known: [], candidates: [], supported: [], findings: [], legal: [], directories: [], losses: [] },
  ...{
    left: [],
    has: [],
    allowed: [],
    connections: [],
    plugins: [],
    permissions: [],
    transition: "complete",
    vm: "web",
  },
};
/** Refuses whatever it is told to refuse. */
const refuse = defineTool({
  name: "refuse",
  title: "Refuse",
  description: "Refuses.",
  effect: "change",
  needs: [],
  http: { method: "POST", path: "/refuse" },
  input: z.object({ code: z.string() }),
  output: z.object({}),
  run: async ({ code }) => {
    if (code === "DEFECT") throw new Error("password=hunter2");
    throw new DomainError(code as ErrorCode, details as never);
  },
});

describe("every code", () => {
  it("of a tool is answered with its status, as a problem document", async () => {
    const none = { burst: 1e6, perSecond: 1e6 };
    const server = await openHere(await world(), { rates: { changes: none } }, { tools: [refuse as unknown as Tool] });
    for (const code of errorCodes) {
      const { status, headers, body } = await server.ask("POST", "/api/refuse", { code });
      expect([code, status, headers.get("content-type")]).toEqual([code, statusOf[code], "application/problem+json"]);
      expect(Problem.parse(body)).toEqual(body);
      expect(body).toMatchObject({ code, status, next: nextTool[code], instance: "/api/refuse" });
      expect(body.hint).not.toBe("");
    }
    expect(server.defects).toEqual([]);
    const fault = await server.ask("POST", "/api/refuse", { code: "DEFECT" });
    expect(fault).toMatchObject({ status: 500, body: { code: "DEFECT", details: { id: "defect" } } });
    expect(JSON.stringify(fault.body)).not.toContain("hunter2");
    expect(server.defects).toHaveLength(1);
  });

  it("has a type and a title of its own", () => {
    const problems = [
      ...errorCodes.map((code) => problemOf(new DomainError(code, details as never))),
      ...httpCodes.map((code) => problemOf(new HttpError(code, details as never))),
    ];
    expect(new Set(problems.map(({ type }) => type)).size).toBe(problems.length);
    expect(problems.find(({ code }) => code === "VM_NOT_FOUND")).toMatchObject({
      type: "urn:bootwright:error:vm-not-found",
      title: "VM not found",
    });
    for (const problem of problems) expect(Problem.parse(problem)).toEqual(problem);
    expect(Object.keys(statusOfHttp).filter((code) => Object.hasOwn(statusOf, code))).toEqual([]);
  });

  it("is an error's status, and 5xx only for what is not the caller's to mend", () => {
    for (const [code, status] of Object.entries(statusOf)) {
      const theirs = /^(?:VM_|ISO_|INPUT_|.*_NOT_FOUND$)/.test(code) && code !== "PLUGIN_NOT_FOUND";
      if (theirs) expect([code, status < 500]).toEqual([code, true]);
      if (/^STORE_/.test(code)) expect([code, status >= 500]).toEqual([code, true]);
    }
  });
});
