/** Jobs: work of minutes that continues without its caller, and is followed and cancelled by id. */
import { z } from "zod";
import { DomainError } from "../domain/error.ts";
import { isActive, type Job, jobStatuses } from "../domain/model/job.ts";
import { VmRef } from "../domain/model/vm.ts";
import type { Store } from "../domain/ports/store.ts";
import { presentOrPastVm } from "./find-vm.ts";
import { defineTool, type ToolContext } from "./tool.ts";

const JobRef = z.string().min(1).max(100).describe("Id of the job, from the answer of the call that began it");
const Status = z.enum(jobStatuses);
/** A notification of a change may be lost, so a waiting call reads the job at this interval, in milliseconds. */
const POLL_MS = 1_000;

const JobView = z.object({
  job: z.string(),
  kind: z.string(),
  title: z.string(),
  target: z.object({ connection: z.string(), vm: z.string(), name: z.string() }).optional(),
  actor: z.string().describe("The caller: the surface and its client"),
  status: Status.describe("A job with queued, running or cancelling has not ended"),
  percent: z.number().nullable().describe("null while it is unknown"),
  message: z.string().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  started_at: z.string(),
  updated_at: z.string(),
  ended_at: z.string().optional(),
});

/** A job as callers see it. */
export const viewJob = (job: Job): z.input<typeof JobView> => ({
  job: job.id,
  kind: job.kind,
  title: job.title,
  ...(job.target && {
    target: { connection: job.target.connection, vm: job.target.uuid, name: job.name ?? job.target.uuid },
  }),
  actor: job.actor,
  status: job.status,
  percent: job.percent ?? null,
  ...(job.message !== undefined && { message: job.message }),
  ...(job.result && { result: { ...job.result } }),
  ...(job.error && { error: job.error }),
  started_at: job.startedAt,
  updated_at: job.updatedAt,
  ...(job.endedAt !== undefined && { ended_at: job.endedAt }),
});

/** @throws DomainError JOB_NOT_FOUND */
async function jobIn(store: Store, id: string): Promise<Job> {
  const job = await store.job(id);
  if (!job) throw new DomainError("JOB_NOT_FOUND", { job: id });
  return job;
}

const listJobs = defineTool({
  name: "list_jobs",
  title: "List jobs",
  description:
    "List jobs, newest first: work of minutes that continues by itself. For older ones pass before, the id of the last one shown.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/jobs" },
  input: z.object({
    vm: VmRef.optional().describe("Only jobs of this VM"),
    status: z.array(Status).max(jobStatuses.length).default([]).describe("Only jobs with these statuses"),
    before: JobRef.optional(),
    limit: z.number().int().min(1).max(200).default(50),
  }),
  output: z.object({ jobs: z.array(JobView) }),
  async run({ vm, status, before, limit }, context) {
    const target = vm === undefined ? undefined : await presentOrPastVm(context, vm);
    const jobs = await (await context.store()).jobs({
      limit,
      ...(target && { target }),
      ...(status.length && { status }),
      ...(before !== undefined && { before }),
    });
    return { jobs: jobs.map(viewJob) };
  },
});

const getJob = defineTool({
  name: "get_job",
  title: "Get job",
  description:
    "Get a job: its progress, or how it ended. With wait_seconds the answer comes when the job has ended, or after that time.",
  effect: "read",
  needs: [],
  waits: true,
  http: { method: "GET", path: "/jobs/{job}" },
  input: z.object({
    job: JobRef,
    wait_seconds: z.number().int().min(0).max(60).default(0).describe("How long to wait for the job's end"),
  }),
  output: z.object({ job: JobView }),
  async run({ job: id, wait_seconds }, context) {
    const store = await context.store();
    const job = await jobIn(store, id);
    return {
      job: viewJob(wait_seconds === 0 || !isActive(job) ? job : await waitForJob(store, job, wait_seconds, context)),
    };
  },
});

/** Waits until the job has ended or the time is up, and reports progress meanwhile. */
async function waitForJob(store: Store, begun: Job, seconds: number, { call }: ToolContext): Promise<Job> {
  const { signal } = call.deadline;
  const until = performance.now() + seconds * 1000;
  let changed = Promise.withResolvers<void>();
  const endFeed = store.onChange(() => changed.resolve());
  try {
    let reported: Pick<Job, "message" | "percent"> | undefined;
    for (let job = begun; ; ) {
      if (!reported || reported.message !== job.message || reported.percent !== job.percent)
        call.progress(job.message ?? job.title, job.percent);
      reported = job;
      const leftMs = until - performance.now();
      if (!isActive(job) || leftMs <= 0) return job;
      await changeOrTimeout(changed.promise, Math.min(leftMs, POLL_MS), signal);
      signal.throwIfAborted();
      changed = Promise.withResolvers();
      job = await jobIn(store, job.id);
    }
  } finally {
    endFeed();
  }
}

/** Resolves at a change, at the timeout, or when the caller gives up. */
async function changeOrTimeout(changed: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const giveUp = () => resolve();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await Promise.race([changed, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

const cancelJob = defineTool({
  name: "cancel_job",
  title: "Cancel job",
  description:
    "Cancel a job. It stops at its next safe point and removes what it has made. Earlier changes of VMs stay; its operations list them.",
  effect: "change",
  needs: [],
  http: { method: "POST", path: "/jobs/{job}/cancel" },
  input: z.object({ job: JobRef }),
  output: z.object({ job: JobView }),
  run: async ({ job }, context) => ({ job: viewJob(await context.jobs.cancel(job)) }),
});

export const jobTools = [listJobs, getJob, cancelJob];
