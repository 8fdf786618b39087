/** Jobs: who holds one, how far it is, and how it ends. */
import { describe, expect } from "vitest";
import { type Job, jobEvent } from "../../src/domain/model/job.ts";
import type { Target } from "../../src/domain/model/vm.ts";
import type { Harness, Test } from "./contract-harness.ts";

let jobs = 0;
const jobOn = (target: Target | undefined, more: Partial<Job> = {}): Job => {
  const at = new Date().toISOString();
  const id = `job-${++jobs}-${crypto.randomUUID()}`;
  const named = target && { target, name: "web" };
  const begun = { startedAt: at, updatedAt: at, attempts: 1, status: "queued" } as const;
  return { id, kind: "test.copy", title: "Copy web", actor: "cli", ...named, input: { to: "/a" }, ...begun, ...more };
};
const eventOn = (job: Job, place: string) => jobEvent(job, place, job.startedAt, "job.progressed");
const eventsAbout = async ({ one }: Harness, { id }: Job) =>
  (await one.events()).filter(({ event }) => event.data.job === id).map(({ event }) => event.id);
const notFound = expect.objectContaining({ code: "JOB_NOT_FOUND" });

export function jobContract(test: Test): void {
  describe("jobs", () => {
    test("a job is kept as it was begun, with its event, and lists come newest first", async (harness) => {
      const { one, two, vm } = harness;
      const target = vm();
      const [older, newer] = [
        jobOn(target, { startedAt: "2026-01-01T00:00:00.000Z" }),
        jobOn(target, { startedAt: "2026-01-02T00:00:00.000Z" }),
      ];
      for (const job of [older, newer]) await one.addJob(job, [eventOn(job, "started")]);
      expect(await two.job(older.id)).toEqual(older);
      expect(await eventsAbout(harness, older)).toEqual([`${older.id}:started`]);
      const ids = async (more: object = {}) => (await two.jobs({ target, limit: 9, ...more })).map(({ id }) => id);
      expect(await ids()).toEqual([newer.id, older.id]);
      expect(await ids({ limit: 1 })).toEqual([newer.id]);
      expect(await ids({ before: newer.id })).toEqual([older.id]);
      expect(await ids({ status: ["done"] })).toEqual([]);
      await expect(two.jobs({ before: "nothing", limit: 9 })).rejects.toEqual(notFound);
      expect(await two.job("nothing")).toBeUndefined();
      const ofNone = jobOn(undefined);
      await one.addJob(ofNone, []);
      expect(await two.job(ofNone.id)).toEqual(ofNone);
    });

    test("a job comes further in the process that holds it alone, and what is not said stays", async ({
      one,
      two,
      vm,
    }) => {
      const job = jobOn(vm());
      await one.addJob(job, []);
      expect(await two.advanceJob(job.id, { percent: 50 }, [])).toBeUndefined();
      expect(await one.advanceJob(job.id, { status: "running" }, [])).toMatchObject({ status: "running" });
      await one.advanceJob(job.id, { percent: 12.5, message: "a", checkpoint: { at: [1] } }, [eventOn(job, "10")]);
      await one.advanceJob(job.id, { message: "b" }, [eventOn(job, "10")]);
      expect(await two.job(job.id)).toMatchObject({ percent: 12.5, message: "b", checkpoint: { at: [1] } });
      expect(await two.endJob(job.id, { status: "done" }, [])).toBe(false);
      expect(await two.takeJob(job.id)).toBeUndefined();
    });

    test("whoever holds a job that is cancelled is told so when it comes further", async ({ one, two, vm }) => {
      const job = jobOn(vm());
      await one.addJob(job, []);
      await one.advanceJob(job.id, { status: "running" }, []);
      expect((await two.cancelJob(job.id)).status).toBe("cancelling");
      expect(await one.advanceJob(job.id, { percent: 1, status: "running" }, [])).toMatchObject({
        status: "cancelling",
      });
      expect(await one.endJob(job.id, { status: "cancelled" }, [])).toBe(true);
      expect((await two.cancelJob(job.id)).status).toBe("cancelled");
      await expect(two.cancelJob("nothing")).rejects.toEqual(notFound);
    });

    test("a job ends once, with its event, its result, and without its checkpoint", async (harness) => {
      const { one, two, vm } = harness;
      const job = jobOn(vm());
      await one.addJob(job, []);
      await one.advanceJob(job.id, { checkpoint: { at: 1 } }, []);
      const ending = { status: "done", percent: 100, result: { bytes: 3 } } as const;
      expect(await one.endJob(job.id, ending, [eventOn(job, "ended")])).toBe(true);
      expect(await one.endJob(job.id, { status: "failed" }, [eventOn(job, "again")])).toBe(false);
      const ended = await two.job(job.id);
      expect(ended).toMatchObject({ ...ending, endedAt: expect.any(String) });
      expect(ended).not.toHaveProperty("checkpoint");
      expect(await eventsAbout(harness, job)).toEqual([`${job.id}:ended`]);
      expect(await one.advanceJob(job.id, { percent: 1 }, [])).toBeUndefined();
    });

    test("a job that its process lets go of is another's at once, and one process's alone", async ({
      one,
      two,
      vm,
    }) => {
      const job = jobOn(vm());
      await one.addJob(job, []);
      const isAbandoned = async () => (await two.abandonedJobs()).some(({ id }) => id === job.id);
      expect(await isAbandoned()).toBe(false);
      await one.leaveJob(job.id);
      expect(await isAbandoned()).toBe(true);
      const taken = await Promise.all([one.takeJob(job.id), two.takeJob(job.id)]);
      expect(taken.filter((held) => held !== undefined)).toEqual([
        expect.objectContaining({ id: job.id, attempts: 2 }),
      ]);
      expect(await isAbandoned()).toBe(false);
      await one.leaveJob(job.id);
      await two.leaveJob(job.id);
    });

    test("a job of a process that is killed is taken up by another, with its last checkpoint", async (harness) => {
      const { one, vm, start } = harness;
      const { use: store, kill } = await start();
      const job = jobOn(vm());
      await store.addJob(job, []);
      await store.advanceJob(job.id, { status: "running", percent: 40, checkpoint: { at: 4 } }, []);
      expect(await one.takeJob(job.id)).toBeUndefined();
      await kill();
      expect((await one.abandonedJobs()).map(({ id }) => id)).toContain(job.id);
      const running = { status: "running", percent: 40, checkpoint: { at: 4 } };
      expect(await one.takeJob(job.id)).toMatchObject({ ...running, attempts: 2 });
      expect(await one.advanceJob(job.id, { checkpoint: { at: 5 } }, [])).toMatchObject({ attempts: 1 });
      await one.endJob(job.id, { status: "done" }, []);
    });
  });
}
