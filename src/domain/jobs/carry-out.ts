/** One job from its beginning, or from where another process left it, to its end. */
import { startDeadline } from "../deadline.ts";
import { type Outcome, operate } from "../engine/operate.ts";
import { DomainError } from "../error.ts";
import { type Job, jobEvent } from "../model/job.ts";
import type { Connections } from "../ports/connections.ts";
import type { JobStore } from "../ports/job-store.ts";
import type { Ports } from "../ports/operation-ports.ts";
import type { Store } from "../ports/store.ts";
import { type JobContext, type JobDefinition, type JobRequest, jobDefinition, type Progress } from "./job.ts";
import { createProgress } from "./progress.ts";
import { JobCancelled, JobLost, ProcessEnds } from "./stop-reason.ts";

/** Attempts without a checkpoint between them, after which a job is given up. */
export const ATTEMPTS_MAX = 3;
/** How long what a job left may take to remove, in milliseconds. */
const CLEAN_UP_MS = 120_000;
/** How long a change of a job may wait for what changes nothing yet, in milliseconds. */
const CHANGE_MS = 330_000;

export type JobServices = Readonly<{
  connections: Connections;
  store: () => Promise<Store>;
  newId: () => string;
  now: () => Date;
  claimWaitMs: number;
}>;

export type CarryOutOptions = Readonly<{
  services: JobServices;
  log: (message: string) => void;
  /** Logs what is no refusal, and gives its id. */
  defect: (error: unknown) => string;
  /** Told of the job as it comes further. */
  notify: (job: Job) => void;
}>;

export function createCarryOut({ services, log, defect, notify }: CarryOutOptions) {
  async function carryOut(store: Store, job: Job, stop: AbortController): Promise<void> {
    const definition = jobDefinition(job.kind)!;
    const progress = createProgress({ store, job, stop, now: services.now, notify });
    try {
      if (job.status === "cancelling") throw new JobCancelled();
      if (job.attempts > ATTEMPTS_MAX)
        throw new DomainError("JOB_INTERRUPTED", { job: job.id, attempts: job.attempts - 1 });
      const input = definition.input.parse(job.input);
      stop.signal.throwIfAborted();
      const result = await definition.run(contextFor(store, job, definition, stop.signal, progress.report), input);
      await end(store, progress.job(), { status: "done", percent: 100, ...(result && { result }) });
    } catch (error) {
      const reason: unknown = stop.signal.aborted ? stop.signal.reason : error;
      if (reason instanceof ProcessEnds || reason instanceof JobLost || isStoreFault(error))
        throw isStoreFault(error) ? error : reason;
      await cleanUp(store, progress.job(), definition);
      if (reason instanceof JobCancelled) await end(store, progress.job(), { status: "cancelled" });
      else await end(store, progress.job(), { status: "failed", error: errorOf(error) });
    }
  }

  /** What cannot be removed is logged: the job has failed or was cancelled all the same. */
  async function cleanUp(store: Store, job: Job, definition: JobDefinition<unknown, unknown>): Promise<void> {
    // A process that ends in the middle of this again and again leaves it.
    if (!definition.cleanUp || job.attempts > 2 * ATTEMPTS_MAX) return;
    const deadline = startDeadline(CLEAN_UP_MS);
    try {
      const kept = await store.job(job.id);
      const context = contextFor(store, kept ?? job, definition, deadline.signal, async () => undefined);
      await definition.cleanUp(context, definition.input.parse(job.input));
    } catch (error) {
      if (isStoreFault(error)) throw error;
      log(
        `job ${job.id}: what it left could not be removed: ${error instanceof Error ? error.message : String(error)}`,
      );
    } finally {
      deadline.end();
    }
  }

  function contextFor(
    store: Store,
    { id, kind, actor, target, name, checkpoint }: Job,
    definition: JobDefinition<unknown, unknown>,
    signal: AbortSignal,
    report: (progress: Progress<unknown>) => Promise<void>,
  ): JobContext<unknown> {
    const ports = async (connection: string): Promise<Ports> => {
      const { newId, now, claimWaitMs, connections } = services;
      return { backend: await connections.backend(connection), store, newId, now, claimWaitMs };
    };
    return {
      job: { id, kind, actor, ...(target && { target }), ...(name !== undefined && { name }) },
      checkpoint: checkpoint === undefined ? undefined : definition.checkpoint?.parse(checkpoint),
      signal,
      report,
      ports,
      async operate(request: JobRequest): Promise<Outcome> {
        const deadline = startDeadline(CHANGE_MS + services.claimWaitMs, signal);
        try {
          const context = {
            actor,
            signal,
            deadline,
            log,
            progress: (message: string) => void report({ message }).catch(() => undefined),
          };
          return await operate(await ports(request.target.connection), {
            ...request,
            what: kind,
            subject: `job ${id}`,
            context,
          });
        } finally {
          deadline.end();
        }
      },
    };
  }

  async function end(store: JobStore, job: Job, ending: Parameters<JobStore["endJob"]>[1]): Promise<void> {
    const types = { done: "job.succeeded", failed: "job.failed", cancelled: "job.cancelled" } as const;
    const ended = { ...job, ...ending };
    const event = jobEvent(ended, "ended", services.now().toISOString(), types[ending.status]);
    if (!(await store.endJob(job.id, ending, [event]))) throw new JobLost();
    notify(ended);
  }

  const errorOf = (error: unknown) => {
    if (error instanceof DomainError) return { code: error.code, message: error.message };
    return { code: "DEFECT", message: `This is a fault in Bootwright itself; its log has it under ${defect(error)}` };
  };

  return {
    /** Does the job's work, and records its end.
     * @throws ProcessEnds, JobLost, and the store's refusals: the job has not ended then */
    carryOut,
    /** Records the end of a job that this process holds. @throws JobLost where it does not */
    end,
  };
}

/** Where nothing can be recorded, nobody can say how the job ends. */
export const isStoreFault = (error: unknown): boolean =>
  error instanceof DomainError &&
  (error.code.startsWith("STORE_") || (error.code === "OUTCOME_UNKNOWN" && isStoreFault(error.cause)));
