/** What the domain needs of a database for jobs. A job is held by the process that runs it, from its beginning to its end
 * or to the end of that process. */
import type { DomainEvent } from "../model/event.ts";
import type { Job, JobStatus } from "../model/job.ts";
import type { Target } from "../model/vm.ts";

export type JobQuery = Readonly<{
  target?: Target;
  status?: readonly JobStatus[];
  /** The id of the last job of the page before this one. */
  before?: string;
  limit: number;
}>;

/** What a job has come to; what is absent stays as it is. */
export type JobProgress = Readonly<Partial<Pick<Job, "percent" | "message" | "checkpoint">>> &
  Readonly<{ status?: "running" }>;

export type JobEnding = Readonly<{ status: "done" | "failed" | "cancelled" }> &
  Readonly<Partial<Pick<Job, "percent" | "error" | "result">>>;

export interface JobStore {
  /** Records a job, held by this process. */
  addJob(job: Job, events: readonly DomainEvent[]): Promise<void>;
  job(id: string): Promise<Job | undefined>;
  /** Newest first.
   * @throws DomainError JOB_NOT_FOUND for a `before` that is not there */
  jobs(query: JobQuery): Promise<Job[]>;
  /** The jobs that have not ended and that no living process holds, oldest first. */
  abandonedJobs(): Promise<Job[]>;
  /** Holds an abandoned job and counts the attempt; undefined where somebody else was first. */
  takeJob(id: string): Promise<Job | undefined>;
  /** Records how far a job of this process is, and tells how the job then stands: whether it is to be cancelled, say.
   * Undefined where this process does not hold it (any more): it must not go on. */
  advanceJob(id: string, progress: JobProgress, events: readonly DomainEvent[]): Promise<Job | undefined>;
  /** Tells whoever holds the job to stop. One that has ended stays as it is.
   * @throws DomainError JOB_NOT_FOUND */
  cancelJob(id: string): Promise<Job>;
  /** Records the end of a job of this process. False where this process does not hold it. */
  endJob(id: string, ending: JobEnding, events: readonly DomainEvent[]): Promise<boolean>;
  /** Lets go of a job that has not ended, so that another process takes it up at once. */
  leaveJob(id: string): Promise<void>;
}
