/** Jobs and who holds them. */
import { DomainError } from "../domain/error.ts";
import type { DomainEvent } from "../domain/model/event.ts";
import { activeJobStatuses, type Job } from "../domain/model/job.ts";
import type { JobEnding, JobProgress, JobQuery, JobStore } from "../domain/ports/job-store.ts";
import { JobRow } from "./entities.ts";
import { appendEvent } from "./events.ts";
import { livingOf } from "./living.ts";
import { jobOf, jobValues } from "./mapping.ts";
import type { Database, Liveness, SqlSession } from "./ports.ts";
import { keyOf } from "./records.ts";

/** The holder of a job without one: no process has this id, so it never counts as alive. */
const NOBODY = "";
const active = { status: { $in: [...activeJobStatuses] } };

export function createJobStore(database: Database, liveness: Liveness, now: () => Date): JobStore {
  const append = async (em: SqlSession, events: readonly DomainEvent[]) => {
    for (const event of events) await appendEvent(em, event);
  };
  const at = () => now().toISOString();

  return {
    async addJob(job: Job, events: readonly DomainEvent[]): Promise<void> {
      await liveness.hold();
      await database.write(async (em) => {
        await em.insert(JobRow, jobValues(job, liveness.id));
        await append(em, events);
      });
    },

    async job(id: string): Promise<Job | undefined> {
      const row = await database.read((em) => em.findOne(JobRow, { id }));
      return row ? jobOf(row) : undefined;
    },

    async jobs({ target, status, before, limit }: JobQuery): Promise<Job[]> {
      if (limit < 1) return [];
      const where = { ...(target && keyOf(target)), ...(status && { status: { $in: [...status] } }) };
      const rows = await database.read(async (em) =>
        em.find(JobRow, before === undefined ? where : { $and: [where, await behind(em, before)] }, {
          orderBy: { startedAt: -1, id: -1 },
          limit,
        }),
      );
      return rows.map(jobOf);
    },

    async abandonedJobs(): Promise<Job[]> {
      const rows = await database.read((em) => em.find(JobRow, active, { orderBy: { startedAt: 1, id: 1 } }));
      const living = await livingOf(liveness, rows);
      return rows.filter(({ holder }) => !living.has(holder)).map(jobOf);
    },

    async takeJob(id: string): Promise<Job | undefined> {
      await liveness.hold();
      const found = await database.read((em) => em.findOne(JobRow, { id, ...active }));
      if (!found || (await liveness.isAlive(found.holder))) return undefined;
      return database.write(async (em) => {
        const where = { id, holder: found.holder, attempts: found.attempts, ...active };
        const taken = { holder: liveness.id, attempts: found.attempts + 1, updatedAt: at() };
        if ((await em.nativeUpdate(JobRow, where, taken)) === 0) return undefined;
        return jobIn(em, id);
      });
    },

    async advanceJob(
      id: string,
      { status, percent, message, checkpoint }: JobProgress,
      events: readonly DomainEvent[],
    ): Promise<Job | undefined> {
      return database.write(async (em) => {
        const held = { id, holder: liveness.id };
        const changed = await em.nativeUpdate(
          JobRow,
          { ...held, ...active },
          {
            updatedAt: at(),
            ...(percent !== undefined && { percent }),
            ...(message !== undefined && { message }),
            // A checkpoint is progress, so the attempts are counted anew.
            ...(checkpoint !== undefined && { checkpoint, attempts: 1 }),
          },
        );
        if (changed === 0) return undefined;
        // A job that is being cancelled stays so.
        if (status) await em.nativeUpdate(JobRow, { ...held, status: "queued" }, { status });
        await append(em, events);
        return jobIn(em, id);
      });
    },

    async cancelJob(id: string): Promise<Job> {
      return database.write(async (em) => {
        await em.nativeUpdate(JobRow, { id, ...active }, { status: "cancelling", updatedAt: at() });
        const job = await jobIn(em, id);
        if (!job) throw new DomainError("JOB_NOT_FOUND", { job: id });
        return job;
      });
    },

    async endJob(id: string, ending: JobEnding, events: readonly DomainEvent[]): Promise<boolean> {
      return database.write(async (em) => {
        const time = at();
        const values = { ...ending, endedAt: time, updatedAt: time, holder: NOBODY, checkpoint: null };
        const changed = await em.nativeUpdate(JobRow, { id, holder: liveness.id, ...active }, values);
        if (changed > 0) await append(em, events);
        return changed > 0;
      });
    },

    async leaveJob(id: string): Promise<void> {
      await database.write((em) => em.nativeUpdate(JobRow, { id, holder: liveness.id, ...active }, { holder: NOBODY }));
    },
  };
}

const jobIn = async (em: SqlSession, id: string): Promise<Job | undefined> => {
  const row = await em.findOne(JobRow, { id }, { refresh: true });
  return row ? jobOf(row) : undefined;
};

/** The condition for jobs behind this one, newest first. */
async function behind(em: SqlSession, id: string) {
  const row = await em.findOne(JobRow, { id }, { fields: ["startedAt"] });
  if (!row) throw new DomainError("JOB_NOT_FOUND", { job: id });
  const { startedAt } = row;
  return { startedAt: { $lte: startedAt }, $or: [{ startedAt: { $lt: startedAt } }, { id: { $lt: id } }] };
}
