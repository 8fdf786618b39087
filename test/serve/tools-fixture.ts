/** A session of a few tools that do what their names say, for what every surface shares. */
import { z } from "zod";
import { DomainError } from "../../src/domain/error.ts";
import type { Effect } from "../../src/domain/scope.ts";
import type { AppContext } from "../../src/serve/app-context.ts";
import { defineTool, type Tool, type ToolContext } from "../../src/tools/tool.ts";

const tool = (name: string, effect: Effect, run: (context: ToolContext, confirm?: string) => unknown) =>
  defineTool({
    name,
    title: "Test",
    description: "Test.",
    effect,
    needs: [],
    http: { method: "POST", path: "/test" },
    input: z.object({ confirm: z.string().optional() }),
    output: z.object({ actor: z.string() }),
    async run({ confirm }, context) {
      await run(context, confirm);
      return { actor: context.call.actor };
    },
  }) as unknown as Tool;

export const loss = { vm: "web", losses: ["all"], confirm: "t0k3n", expiresAt: "soon" };

export type Calls = Readonly<{ session: AppContext; calls: readonly string[]; defects: readonly unknown[] }>;

/** `waits` ends with its signal, or when somebody calls `ends`. */
export function toolsFor(confirm: AppContext["confirm"]): Calls {
  const [calls, defects]: [string[], unknown[]] = [[], []];
  let end = () => {};
  const noted = (name: string, effect: Effect, run: Parameters<typeof tool>[2] = () => undefined) =>
    tool(name, effect, (context, token) => {
      calls.push(name);
      return run(context, token);
    });
  const session: AppContext = {
    tools: [
      noted("looks", "read"),
      noted("changes", "change"),
      noted("destroys", "destroy"),
      noted("loses", "change", (_context, token) => {
        if (token !== loss.confirm) throw new DomainError("CONFIRMATION_REQUIRED", loss);
      }),
      noted("breaks", "read", () => {
        throw new TypeError("of undefined");
      }),
      noted("waits", "read", ({ call: { signal } }) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        end = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        return promise;
      }),
      noted("ends", "read", () => end()),
    ],
    confirm,
    version: "0",
    log: () => {},
    services: { claimWaitMs: 1_000 } as AppContext["services"],
    defect: (error) => {
      defects.push(error);
      return `defect-${defects.length}`;
    },
  };
  return { session, calls, defects };
}
