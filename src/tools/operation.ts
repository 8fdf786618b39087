import { z } from "zod";
import { definitionOf } from "../domain/changes.ts";
import { DomainError } from "../domain/error.ts";
import { defineTool } from "./tool.ts";

const getOperation = defineTool({
  name: "get_operation",
  title: "Get operation",
  description:
    "Get one recorded operation by the id that its call answered with: who asked for what, its steps and what became of each.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/operations/{operation}" },
  input: z.object({ operation: z.string().min(1).max(100) }),
  output: z.object({
    operation: z.string(),
    vm: z.string(),
    connection: z.string(),
    tool: z.string(),
    actor: z.string(),
    status: z.enum(["begun", "applied", "rolled_back", "failed", "rollback_failed", "unknown"]),
    direction: z.enum(["forward", "back"]),
    steps: z.array(z.object({ change: z.string(), summary: z.string(), status: z.string() })),
    begun_at: z.string(),
    settled_at: z.string().optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  }),
  async run({ operation: id }, context) {
    const operation = await (await context.store()).operation(id);
    if (!operation) throw new DomainError("OPERATION_NOT_FOUND", { operation: id });
    return {
      operation: operation.id,
      vm: operation.target.uuid,
      connection: operation.target.connection,
      tool: operation.what,
      actor: operation.actor,
      status: operation.status,
      direction: operation.direction,
      steps: operation.steps.map(({ change, status }) => ({
        change: change.kind,
        summary: definitionOf(change).summary(change),
        status,
      })),
      begun_at: operation.begunAt,
      ...(operation.settledAt !== undefined && { settled_at: operation.settledAt }),
      ...(operation.error && { error: operation.error }),
    };
  },
});

export const operationTools = [getOperation];
