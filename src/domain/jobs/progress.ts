/** How far a job is, as its process records it: what is to be durable at once, the rest now and then. */
import { type Job, jobEvent } from "../model/job.ts";
import type { JobStore } from "../ports/job-store.ts";
import type { Progress } from "./job.ts";
import { JobCancelled, JobLost } from "./stop-reason.ts";

/** Progress without a checkpoint is written at most once in so many milliseconds. */
const WRITE_EVERY_MS = 500;
/** An event tells of progress whenever this many percent more are done. */
const EVENT_PERCENT = 10;

export type ProgressOptions = Readonly<{
  store: JobStore;
  job: Job;
  /** Aborted when the job turns out to be somebody else's, or is to be cancelled. */
  stop: AbortController;
  now: () => Date;
  notify: (job: Job) => void;
}>;

export function createProgress({ store, job: began, stop, now, notify }: ProgressOptions) {
  let job = began;
  let writtenAt = Number.NEGATIVE_INFINITY;

  async function report({ percent, message, checkpoint }: Progress<unknown>): Promise<void> {
    stop.signal.throwIfAborted();
    const before = Math.floor((job.percent ?? 0) / EVENT_PERCENT);
    const bounded = percent === undefined ? undefined : Math.min(100, Math.max(0, percent));
    job = { ...job, ...(bounded !== undefined && { percent: bounded }), ...(message !== undefined && { message }) };
    notify(job);
    const tens = Math.floor((job.percent ?? 0) / EVENT_PERCENT);
    const at = now().toISOString();
    const events = tens > before ? [jobEvent(job, String(tens * EVENT_PERCENT), at, "job.progressed")] : [];
    const isDue = performance.now() - writtenAt >= WRITE_EVERY_MS;
    if (checkpoint === undefined && events.length === 0 && !isDue) return;
    writtenAt = performance.now();
    const written = await store.advanceJob(
      job.id,
      {
        ...(job.percent !== undefined && { percent: job.percent }),
        ...(job.message !== undefined && { message: job.message }),
        ...(checkpoint !== undefined && { checkpoint }),
      },
      events,
    );
    if (!written) stop.abort(new JobLost());
    else {
      job = written;
      if (written.status === "cancelling") stop.abort(new JobCancelled());
    }
    stop.signal.throwIfAborted();
  }

  return { report, job: () => job };
}
