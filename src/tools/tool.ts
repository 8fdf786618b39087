/** The definition of a tool, from which MCP, REST, the command line and the docs are made. */
import type { z } from "zod";
import type { ChangeKind } from "../domain/changes/catalogue.ts";
import type { JobRunner } from "../domain/jobs/runner.ts";
import type { GroupName } from "../domain/ports/backend-groups.ts";
import type { CallContext } from "../domain/ports/call-context.ts";
import type { Connections } from "../domain/ports/connections.ts";
import type { PluginDirectory } from "../domain/ports/plugin-directory.ts";
import type { Store } from "../domain/ports/store.ts";
import type { Effect } from "../domain/scope.ts";

/** The services that the program gives to all calls. */
export type Services = Readonly<{
  connections: Connections;
  plugins: PluginDirectory;
  /** Opened at the first call: listing the tools needs no database. */
  store: () => Promise<Store>;
  newId: () => string;
  now: () => Date;
  claimWaitMs: number;
  jobs: JobRunner;
  /** The address of the guest listener, if there is one. */
  guests?: Readonly<{ address: string; port: number }>;
}>;

/** A tool's context: the program's services, and the call. */
export type ToolContext = Services & Readonly<{ call: CallContext }>;

/** The time limits of calls, in milliseconds. A change that has begun has its own limits. `wait` waits for a job. `scan`
 * reads all VMs, all images, or a whole image. `each` makes several changes one after another. */
export const callLimitMs = { read: 30_000, wait: 120_000, scan: 330_000, change: 330_000, each: 3_600_000 } as const;

/** The time limit of a call of this tool. A change also gets claimWaitMs, the time to wait for another operation on its
 * VM. */
export const limitOf = (
  { effect, scans, waits, several }: Pick<Tool, "effect" | "scans" | "waits" | "several">,
  claimWaitMs: number,
): number => {
  if (effect === "read") return callLimitMs[scans ? "scan" : waits ? "wait" : "read"];
  return callLimitMs[several ? "each" : "change"] + claimWaitMs;
};

/** What a tool needs of a backend: a kind of change, or a group. */
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
  /** The tool is offered only if some connection's backend has all of these. */
  needs: readonly Need[];
  /** A second call with the same arguments has a further effect. */
  repeats?: true;
  /** It reads all VMs, all images, or a whole image, and gets a longer time limit. */
  scans?: true;
  /** It may wait for a job, for a time that the caller gives. */
  waits?: true;
  /** Its answer is a secret and is never stored. */
  secret?: true;
  /** It makes a separate operation for each of several VMs, so no single operation shows the whole outcome. */
  several?: true;
  input: In;
  output: Out;
  /** Its route in the REST interface. */
  http: Readonly<{ method: "GET" | "POST" | "DELETE"; path: string }>;
  run(input: z.output<In>, context: ToolContext): Promise<z.input<Out>>;
}>;

export function defineTool<In extends z.ZodObject, Out extends z.ZodObject, const Name extends string>(
  tool: Tool<In, Out, Name>,
): Tool<In, Out, Name> {
  return tool;
}

/** MCP's tool annotations, derived so that they cannot contradict each other. */
export const annotationsOf = ({ title, effect, repeats }: Pick<Tool, "title" | "effect" | "repeats">) => ({
  title,
  readOnlyHint: effect === "read",
  destructiveHint: effect === "destroy",
  idempotentHint: effect !== "destroy" && !repeats,
  openWorldHint: false,
});
