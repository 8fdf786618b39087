/** Writes every event into a file, as one line of JSON, with the caller of the operation that caused it. */
import { resolve } from "node:path";
import { z } from "zod";
import {
  type DomainEvent,
  definePlugin,
  eventTypes,
  type FunctionContext,
  PLUGIN_API,
  ToolRefused,
} from "../../src/plugin.ts";
import { openTrail, type Trail } from "./trail.ts";

const MIB = 2 ** 20;
/** A line up to this length is one write; a longer one is written without its data, marked as such. */
const LINE_BYTES_MAX = 65_536;

const Config = z.strictObject({
  directory: z
    .string()
    .min(1)
    .describe("Where audit-000001.jsonl and those after it are written; made if it is missing"),
  "max-bytes": z.coerce
    .number()
    .int()
    .min(4_096)
    .max(1024 * MIB)
    .default(10 * MIB)
    .describe("When the next file begins"),
  keep: z.coerce.number().int().min(2).max(10_000).default(10).describe("How many files stay"),
});

export default definePlugin<z.infer<typeof Config>, Trail>({
  manifest: {
    name: "audit-log",
    api: PLUGIN_API,
    summary: "Writes every event into files, one line of JSON each",
    permissions: ["vm:read"],
  },
  config: Config,
  open: async ({ directory, "max-bytes": maxBytes, keep }) =>
    openTrail({ directory: resolve(directory), maxBytes, keep }),
  close: async (trail) => trail.close(),
  reach: ({ directory }) => ({ write: [resolve(directory)] }),
  on: Object.fromEntries(eventTypes.map((type) => [type, record])),
});

async function record(trail: Trail, event: DomainEvent, context: FunctionContext): Promise<void> {
  trail.append(event.id, lineOf(event, await operationOf(event, context)));
}

type Asked = Readonly<Record<string, unknown>>;

/** The operation that caused the event: its caller, tool, time and outcome. */
async function operationOf({ data }: DomainEvent, { call }: FunctionContext): Promise<Asked | undefined> {
  const id = data.operation;
  if (typeof id !== "string") return undefined;
  try {
    const { tool, actor, status, begun_at, settled_at, steps, error } = await call("get_operation", { operation: id });
    return { id, tool, actor, status, begun_at, settled_at, steps, error };
  } catch (error) {
    // The operation may be pruned, and a line without it is better than none.
    if (error instanceof ToolRefused) return { id, not_found: error.code };
    throw error;
  }
}

/** The id comes first, since it identifies the line. */
function lineOf({ id, time, type, source, subject, data }: DomainEvent, operation: Asked | undefined): string {
  const head = { id, time, type, source, vm: subject };
  const line = JSON.stringify({ ...head, data, operation });
  const bytes = Buffer.byteLength(line);
  if (bytes <= LINE_BYTES_MAX) return line;
  const { steps: _steps, error: _error, ...who } = operation ?? {};
  return JSON.stringify({ ...head, cut_bytes: bytes, ...(operation && { operation: who }) });
}
