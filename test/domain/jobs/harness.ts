/** Kinds of jobs for one test, and what runs them. */
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { addJob, defineJob, type JobContext } from "../../../src/domain/jobs/job.ts";
import type { JobRunner, RunnerOptions } from "../../../src/domain/jobs/runner.ts";
import { bootOrderOf } from "../../../src/domain/model/boot-order.ts";
import type { JobStatus } from "../../../src/domain/model/job.ts";
import { rolesFor } from "../../../src/domain/model/roles.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import type { Store } from "../../../src/domain/ports/store.ts";
import { openSqliteStore } from "../../../src/store/sqlite/store.ts";
import { type Image, imageJob } from "../../support/image-job.ts";
import { jobsOf } from "../../support/jobs.ts";
import type { World } from "../../support/world.ts";

type Work = (context: JobContext<unknown>) => Promise<Record<string, unknown> | undefined>;

/** A kind of job for this test alone. */
export function kindOf(run: Work, cleanUp?: (context: JobContext<unknown>) => Promise<void>): string {
  const kind = `test.${crypto.randomUUID()}`;
  onTestFinished(
    addJob(
      kind,
      defineJob<unknown, unknown>({
        input: z.unknown(),
        checkpoint: z.unknown(),
        title: () => "Do something",
        run,
        ...(cleanUp && { cleanUp }),
      }),
    ),
  );
  return kind;
}

export function imageKind(image: Partial<Image> = {}): string {
  const kind = `image.${crypto.randomUUID()}`;
  onTestFinished(addJob(kind, imageJob({ write: async () => {}, remove: async () => {}, ...image })));
  return kind;
}

/** What runs jobs, over this world or over another process's store on the same database. */
export function runnerOn(w: World, store: Store = w.store, more: Partial<RunnerOptions> = {}): JobRunner {
  const { newId: _counted, ...ports } = w.ports;
  const services = { ...ports, connections: w.connections, store: async () => store, newId: () => crypto.randomUUID() };
  const jobs = jobsOf(services, { lookMs: 20, ...more });
  onTestFinished(() => jobs.close());
  return jobs;
}

export async function otherStore({ directory, session }: World): Promise<Store> {
  const { imageDirectory } = session;
  const store = await openSqliteStore({
    directory,
    imageDirectory,
    connection: "local",
    newId: () => crypto.randomUUID(),
  });
  onTestFinished(() => store.close());
  return store;
}

export const asked = { input: {}, actor: "cli" };
export const hasStatus = (w: World, id: string, status: JobStatus) =>
  expect.poll(async () => (await w.store.job(id))?.status).toBe(status);
export const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
export const eventsOf = async (w: World, id: string) =>
  (await w.store.events()).filter(({ event }) => event.data.job === id).map(({ event }) => event.type);
export const orderOf = async (w: World, at: Target) => {
  const state = await w.look(at);
  return bootOrderOf(state.vm!.next, rolesFor(state)).order;
};
