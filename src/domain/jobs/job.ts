/** What a kind of job is. Whoever runs jobs knows none by its name. */
import type { z } from "zod";
import type { Outcome, Request } from "../engine/operate.ts";
import type { Job } from "../model/job.ts";
import type { Ports } from "../ports/operation-ports.ts";

export type Progress<Checkpoint> = Readonly<{
  /** 0 to 100. */
  percent?: number;
  message?: string;
  /** What to go on from. It is durable when the report returns; progress without it may be written later, or never. */
  checkpoint?: Checkpoint;
}>;

/** A short change at the beginning or the end of a job. It runs as any operation does, and claims its VM meanwhile. */
export type JobRequest = Pick<Request, "target" | "also" | "intent" | "accept" | "look">;

export type JobContext<Checkpoint> = Readonly<{
  job: Pick<Job, "id" | "kind" | "actor" | "target" | "name">;
  /** What was kept last; undefined where nothing was. */
  checkpoint: Checkpoint | undefined;
  /** Aborted when the job is cancelled, when its process is about to end, and when another process has taken it over. */
  signal: AbortSignal;
  /** @throws the signal's reason once it is aborted */
  report(progress: Progress<Checkpoint>): Promise<void>;
  ports(connection: string): Promise<Ports>;
  /** @throws DomainError as `operate` */
  operate(request: JobRequest): Promise<Outcome>;
}>;

export type JobDefinition<Input, Checkpoint = never> = Readonly<{
  input: z.ZodType<Input>;
  /** Absent where it keeps nothing and begins anew. */
  checkpoint?: z.ZodType<Checkpoint>;
  /** For a person; `name` is the VM's. */
  title(input: Input, name: string | undefined): string;
  /** Does the work. A process that ended may have done any part of it after the last checkpoint, so it looks at what is
   * there before it does anything again. */
  run(context: JobContext<Checkpoint>, input: Input): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Removes what a job that failed or was cancelled has left. It may be called again, and may find nothing. */
  cleanUp?(context: JobContext<Checkpoint>, input: Input): Promise<void>;
}>;

export function defineJob<Input, Checkpoint = never>(
  definition: JobDefinition<Input, Checkpoint>,
): JobDefinition<Input, Checkpoint> {
  return definition;
}

const definitions = new Map<string, JobDefinition<unknown, unknown>>();

/** Adds a kind of job. Returns what takes it out again.
 * @throws TypeError for a kind that there is */
export function addJob<Input, Checkpoint>(kind: string, definition: JobDefinition<Input, Checkpoint>): () => void {
  if (definitions.has(kind)) throw new TypeError(`There is a job "${kind}" already`);
  definitions.set(kind, definition as unknown as JobDefinition<unknown, unknown>);
  return () => definitions.delete(kind);
}

/** The definition of this kind; undefined where this program does not know it, as an older or newer one may have. */
export const jobDefinition = (kind: string): JobDefinition<unknown, unknown> | undefined => definitions.get(kind);
