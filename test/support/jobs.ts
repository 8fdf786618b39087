/** Jobs in tests: what runs them, and a job of the memory backend that works on a VM at its beginning and at its end. */
import type { JobServices } from "../../src/domain/jobs/carry-out.ts";
import { createJobRunner, type JobRunner, type RunnerOptions } from "../../src/domain/jobs/runner.ts";

/** Makes the job runner of these services. The caller closes it. */
export const jobsOf = (services: JobServices, more: Partial<RunnerOptions> = {}): JobRunner =>
  createJobRunner({ services, log: () => {}, defect: () => "defect", ...more });

/** Returns the services with a job runner on them. */
export const withJobs = <T extends JobServices>(services: T): T & Readonly<{ jobs: JobRunner }> => ({
  ...services,
  jobs: jobsOf(services),
});
