/** What a tool is: one definition that MCP, the command line and the docs are made from. */
import type { z } from "zod";
import type { ChangeKind } from "../domain/changes/catalogue.ts";
import type { JobRunner } from "../domain/jobs/runner.ts";
import type { GroupName } from "../domain/ports/backend-groups.ts";
import type { CallContext } from "../domain/ports/call-context.ts";
import type { Connections } from "../domain/ports/connections.ts";
import type { PluginDirectory } from "../domain/ports/plugin-directory.ts";
import type { Store } from "../domain/ports/store.ts";
import type { Effect } from "../domain/scope.ts";

/** What the program gives to everything that works for a caller. */
export type Services = Readonly<{
  connections: Connections;
  plugins: PluginDirectory;
  /** Opened when first asked for: listing the tools needs no database. */
  store: () => Promise<Store>;
  newId: () => string;
  now: () => Date;
  claimWaitMs: number;
  jobs: JobRunner;
  /** Where guests are listened to, if they are. */
  guests?: Readonly<{ address: string; port: number }>;
}>;

/** What a tool works with: the program's services, and the call that it answers. */
export type ToolContext = Services & Readonly<{ call: CallContext }>;

/** How long a call may keep its caller waiting, in milliseconds: for an answer, or until its change has begun and has
 * times of its own. `wait` waits for a job, `scan` looks at everything there is, or through a whole image; `each` makes one
 * change after the other. */
export const callLimitMs = { read: 30_000, wait: 120_000, scan: 330_000, change: 330_000, each: 3_600_000 } as const;

/** The time of a call of this tool. How long a change may wait for another operation on its VM is a setting, and comes on
 * top. */
export const limitOf = (
  { effect, scans, waits, several }: Pick<Tool, "effect" | "scans" | "waits" | "several">,
  claimWaitMs: number,
): number => {
  if (effect === "read") return callLimitMs[scans ? "scan" : waits ? "wait" : "read"];
  return callLimitMs[several ? "each" : "change"] + claimWaitMs;
};

/** What a backend has to have for a tool: a change that it can make, or a group. */
export type Need = ChangeKind | GroupName;

export type Tool<
  In extends z.ZodObject = z.ZodObject,
  Out extends z.ZodObject = z.ZodObject,
  Name extends string = string,
> = Readonly<{
  name: Name;
  title: string;
  /** First what, then when, then the trap. */
  description: string;
  effect: Effect;
  /** Listed only when some connection's backend has all of it. */
  needs: readonly Need[];
  /** Calling it again with the same arguments does something again. */
  repeats?: true;
  /** It looks at everything there is, or through a whole image: it has the time that this takes. */
  scans?: true;
  /** It may wait for a job, for as long as its caller says. */
  waits?: true;
  /** Its answer is a secret, of which nothing is kept. */
  secret?: true;
  /** It makes an operation of each of several VMs, none of which says what became of the others. */
  several?: true;
  input: In;
  output: Out;
  /** Its place in the REST interface. */
  http: Readonly<{ method: "GET" | "POST" | "DELETE"; path: string }>;
  run(input: z.output<In>, context: ToolContext): Promise<z.input<Out>>;
}>;

export function defineTool<In extends z.ZodObject, Out extends z.ZodObject, const Name extends string>(
  tool: Tool<In, Out, Name>,
): Tool<In, Out, Name> {
  return tool;
}

/** MCP's hints, derived so that they cannot contradict each other. */
export const annotationsOf = ({ title, effect, repeats }: Pick<Tool, "title" | "effect" | "repeats">) => ({
  title,
  readOnlyHint: effect === "read",
  destructiveHint: effect === "destroy",
  idempotentHint: effect !== "destroy" && !repeats,
  openWorldHint: false,
});
