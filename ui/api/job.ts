/** Jobs: work that takes minutes and outlives the call that began it. */
import type { Answers } from "./tool.ts";

export type Job = Answers["get_job"]["job"];

/** Events about a job. The subject is the VM's UUID where the job has one; `data.job` is the job's id. */
export const jobEventTypes = ["job.started", "job.progressed", "job.succeeded", "job.failed", "job.cancelled"] as const;
export type JobEventType = (typeof jobEventTypes)[number];

/** A job that has not ended. */
export type ActiveJob = Job & Readonly<{ status: Exclude<Job["status"], "done" | "failed" | "cancelled"> }>;
export const isActive = (job: Job): job is ActiveJob =>
  job.status === "queued" || job.status === "running" || job.status === "cancelling";
