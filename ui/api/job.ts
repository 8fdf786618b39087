/** Jobs: work that takes minutes and outlives the call that began it. */

type ActiveStatus = "queued" | "running" | "cancelling";
export type JobStatus = ActiveStatus | "done" | "failed" | "cancelled";

export type Job = Readonly<{
  /** The job's id. */
  job: string;
  kind: string;
  title: string;
  /** The VM the job is about, where it is about one. */
  target?: Readonly<{ connection: string; vm: string; name: string }>;
  actor: string;
  status: JobStatus;
  /** 0 to 100; null while the job cannot tell. */
  percent: number | null;
  message?: string;
  started_at: string;
  updated_at: string;
  ended_at?: string;
  error?: Readonly<{ code: string; message: string }>;
}>;

export type JobAnswers = Readonly<{
  list_jobs: Readonly<{ jobs: readonly Job[] }>;
  get_job: Readonly<{ job: Job }>;
  cancel_job: Readonly<{ job: Job }>;
}>;

/** Events about a job. The subject is the VM's UUID where the job has one; `data.job` is the job's id. */
export const jobEventTypes = ["job.started", "job.progressed", "job.succeeded", "job.failed", "job.cancelled"] as const;
export type JobEventType = (typeof jobEventTypes)[number];

/** A job that has not ended. */
export type ActiveJob = Job & Readonly<{ status: ActiveStatus }>;
export const isActive = (job: Job): job is ActiveJob =>
  job.status === "queued" || job.status === "running" || job.status === "cancelling";
