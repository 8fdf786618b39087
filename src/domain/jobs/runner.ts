/** Runs jobs: those that this process begins, and those that a process left which ended. */
import { withDeadline } from "../deadline.ts";
import { DomainError } from "../error.ts";
import { isActive, type Job, jobEvent } from "../model/job.ts";
import type { Target } from "../model/vm.ts";
import type { Store } from "../ports/store.ts";
import { createCarryOut, isStoreFault, type JobServices } from "./carry-out.ts";
import { jobDefinition } from "./job.ts";
import { JobCancelled, JobLost, ProcessEnds } from "./stop-reason.ts";

/** Jobs that one process runs at a time; further ones are queued. Each may write a whole disk. */
export const RUNNING_MAX = 2;
/** How long jobs have to stop at the end of their process, in milliseconds. */
const CLOSE_MS = 5_000;
/** Word that a job is to be cancelled may fail to come, so this is how often its process looks, in milliseconds. */
const LOOK_MS = 5_000;

export type RunnerOptions = Readonly<{
  services: JobServices;
  log: (message: string) => void;
  /** Logs what is no refusal, and gives its id. */
  defect: (error: unknown) => string;
  runningMax?: number;
  lookMs?: number;
  closeMs?: number;
}>;

export type StartedJob = Readonly<{ kind: string; input: unknown; actor: string; target?: Target; name?: string }>;

export interface JobRunner {
  /** Records a job and begins it, or queues it behind those that this process runs.
   * @throws ZodError for an input that its kind does not take, TypeError for a kind that is not known */
  start(job: StartedJob): Promise<Job>;
  /** Tells whoever runs the job to stop.
   * @throws DomainError JOB_NOT_FOUND, JOB_ENDED */
  cancel(id: string): Promise<Job>;
  /** Takes up what processes left that have ended, where this program knows its kind and its connection. */
  takeUp(): Promise<void>;
  /** How many jobs this process runs or has queued. */
  count(): number;
  /** Calls back as jobs of this process come further. Returns what ends it. */
  onProgress(listener: (job: Job) => void): () => void;
  /** When this process has no more jobs. */
  idle(): Promise<void>;
  /** Stops all jobs of this process; another process goes on with them. */
  close(): Promise<void>;
}

type Running = Readonly<{ id: string; stop: AbortController; ended: Promise<void> }>;

export function createJobRunner({
  services,
  log,
  defect,
  runningMax = RUNNING_MAX,
  lookMs = LOOK_MS,
  closeMs = CLOSE_MS,
}: RunnerOptions): JobRunner {
  const running = new Map<string, Running>();
  const queue: Job[] = [];
  /** Jobs that this process has stopped, and that are on record as held by it. */
  const held = new Set<string>();
  const listeners = new Set<(job: Job) => void>();
  const notify = (job: Job) => {
    for (const listener of listeners) listener(job);
  };
  const { carryOut, end } = createCarryOut({ services, log, defect, notify });
  let isClosed = false;
  let endLooking: (() => void) | undefined;

  const hasConnection = ({ target }: Job): boolean =>
    target === undefined || services.connections.names.includes(target.connection);

  /** Looks whether what this process runs is to be cancelled. */
  async function look(store: Store): Promise<void> {
    for (const { id, stop } of running.values()) {
      const job = await store.job(id);
      if (job?.status === "cancelling") stop.abort(new JobCancelled());
    }
    for (const queued of [...queue]) {
      const job = await store.job(queued.id);
      if (job?.status !== "cancelling") continue;
      // Begun or ended by somebody else while this read the job.
      const place = queue.indexOf(queued);
      if (place < 0) continue;
      queue.splice(place, 1);
      await end(store, job, { status: "cancelled" });
    }
  }

  function keepLooking(store: Store): void {
    if (endLooking) return;
    const again = () => void look(store).catch(() => undefined);
    const endFeed = store.onChange(again);
    const timer = setInterval(again, lookMs);
    endLooking = () => {
      clearInterval(timer);
      endFeed();
      endLooking = undefined;
    };
  }

  function next(store: Store): void {
    while (!isClosed && running.size < runningMax && queue.length > 0) begin(store, queue.shift()!);
    if (running.size === 0 && queue.length === 0) endLooking?.();
    else keepLooking(store);
  }

  function begin(store: Store, job: Job): void {
    const stop = new AbortController();
    const ended = run(store, job, stop).finally(() => {
      running.delete(job.id);
      next(store);
    });
    running.set(job.id, { id: job.id, stop, ended });
  }

  /** Until it is written that nobody holds the job, no other process takes it up. */
  async function leave(store: Store, id: string): Promise<void> {
    held.add(id);
    try {
      await store.leaveJob(id);
      held.delete(id);
    } catch (error) {
      if (!isStoreFault(error)) throw error;
    }
  }

  /** Never fails: what cannot be recorded is left to another process. */
  async function run(store: Store, job: Job, stop: AbortController): Promise<void> {
    try {
      const started = await store.advanceJob(job.id, { status: "running" }, []);
      if (!started) return;
      notify(started);
      await carryOut(store, started, stop);
    } catch (error) {
      if (error instanceof JobLost) return;
      if (isStoreFault(error)) log(`job ${job.id}: it is left for now: ${(error as Error).message}`);
      else if (!(error instanceof ProcessEnds)) defect(error);
      await leave(store, job.id);
    }
  }

  return {
    async start({ kind, input, actor, target, name }) {
      const definition = jobDefinition(kind);
      if (!definition) throw new TypeError(`There is no job "${kind}"`);
      const parsed = definition.input.parse(input);
      const at = services.now().toISOString();
      const job: Job = {
        id: services.newId(),
        kind,
        title: definition.title(parsed, name),
        actor,
        ...(target && { target }),
        ...(name !== undefined && { name }),
        input: parsed,
        attempts: 1,
        status: "queued",
        startedAt: at,
        updatedAt: at,
      };
      const store = await services.store();
      await store.addJob(job, [jobEvent(job, "started", at, "job.started")]);
      queue.push(job);
      next(store);
      return job;
    },

    async cancel(id) {
      const store = await services.store();
      const job = await store.cancelJob(id);
      if (!isActive(job) && job.status !== "cancelled")
        throw new DomainError("JOB_ENDED", { job: id, status: job.status });
      // One that is held by nobody is cancelled here, unless its connection is another server's, which can clean up.
      const left = hasConnection(job) ? await store.takeJob(id) : undefined;
      if (left && jobDefinition(left.kind)) queue.push(left);
      // Of an unknown kind nobody here can say what it left: that stays.
      else if (left) await end(store, left, { status: "cancelled" });
      next(store);
      await look(store);
      return (await store.job(id)) ?? job;
    },

    async takeUp() {
      const store = await services.store();
      for (const id of [...held]) await leave(store, id);
      for (const abandoned of await store.abandonedJobs()) {
        const { id, kind } = abandoned;
        if (isClosed || running.size + queue.length >= runningMax) return;
        if (!jobDefinition(kind) || !hasConnection(abandoned)) continue;
        const job = await store.takeJob(id);
        if (!job) continue;
        log(`job ${id}: going on with "${job.title}", which a process left that ended`);
        queue.push(job);
        next(store);
      }
    },

    count: () => running.size + queue.length,

    onProgress(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },

    async idle() {
      while (running.size > 0) await Promise.all([...running.values()].map(({ ended }) => ended));
    },

    async close() {
      isClosed = true;
      endLooking?.();
      for (const { stop } of running.values()) stop.abort(new ProcessEnds());
      const stopped = Promise.all([...running.values()].map(({ ended }) => ended));
      // One that does not heed its signal ends with this process, and another one sees that.
      await withDeadline(closeMs, () => stopped).catch(() => undefined);
      const left = queue.splice(0);
      if (left.length === 0) return;
      const store = await services.store();
      for (const { id } of left) await leave(store, id);
    },
  };
}
