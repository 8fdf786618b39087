import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { ATTEMPTS_MAX } from "../../../src/domain/jobs/carry-out.ts";
import { addJob, defineJob } from "../../../src/domain/jobs/job.ts";
import { world } from "../../support/world.ts";

import {
  asked,
  eventsOf,
  hasStatus,
  imageKind,
  kindOf,
  orderOf,
  otherStore,
  runnerOn,
  untilAborted,
} from "./harness.ts";

test("A job makes its short changes at its ends, each an operation, and claims its VM for no longer", async () => {
  const w = await world();
  const at = await w.create({ name: "web" });
  const orders: (string | undefined)[] = [];
  const kind = imageKind({
    async write() {
      orders.push(await orderOf(w, at));
      await (await w.store.claim(at, { actor: "another", what: "look" }, 0)).release();
    },
  });
  const jobs = runnerOn(w);
  const { id } = await jobs.start({ kind, input: { blocks: 4 }, actor: "cli", target: at, name: "web" });
  await jobs.idle();
  expect(await w.store.job(id)).toMatchObject({
    ...{ kind, title: "Make an image of web", actor: "cli", target: at, name: "web" },
    ...{ status: "done", percent: 100, result: { blocks: 4, vm: "web" } },
  });
  expect(orders).toEqual(Array(4).fill("hd_cdrom"));
  expect(await orderOf(w, at)).toBe("cdrom_hd");
  const made = (await w.store.operations({ target: at, limit: 9 })).filter(({ what }) => what === kind);
  expect(made.map(({ actor, status }) => [actor, status])).toEqual(Array(2).fill(["cli", "applied"]));
  const progressed = Array(4).fill("job.progressed");
  expect(await eventsOf(w, id)).toEqual(["job.started", ...progressed, "job.succeeded"]);
});

test("A job that is cancelled stops, removes what it made, and says so", async () => {
  const w = await world();
  const at = await w.create();
  const remove = vi.fn(async () => {});
  const kind = imageKind({ write: async (block, signal) => (block < 1 ? undefined : untilAborted(signal)), remove });
  const jobs = runnerOn(w);
  const { id } = await jobs.start({ kind, input: { blocks: 4 }, actor: "cli", target: at });
  await expect.poll(async () => (await w.store.job(id))?.percent).toBe(25);
  expect((await jobs.cancel(id)).status).toBe("cancelling");
  await jobs.idle();
  const job = await w.store.job(id);
  expect([job?.status, job?.percent]).toEqual(["cancelled", 25]);
  expect(job).not.toHaveProperty("checkpoint");
  expect(remove).toHaveBeenCalledOnce();
  expect(await orderOf(w, at)).toBe("cdrom_hd");
  expect((await eventsOf(w, id)).at(-1)).toBe("job.cancelled");
  expect((await jobs.cancel(id)).status).toBe("cancelled");
});

test("A job is cancelled through another process", async () => {
  const w = await world();
  const kind = kindOf(({ signal }) => untilAborted(signal));
  const { id } = await runnerOn(w).start({ kind, ...asked });
  await runnerOn(w, await otherStore(w)).cancel(id);
  await hasStatus(w, id, "cancelled");
});

test("A job that has ended is not cancelled", async () => {
  const w = await world();
  const jobs = runnerOn(w);
  const { id } = await jobs.start({ kind: kindOf(async () => undefined), ...asked });
  await jobs.idle();
  await expect(jobs.cancel(id)).rejects.toMatchObject({ code: "JOB_ENDED", details: { status: "done" } });
  await expect(jobs.cancel("nothing")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
});

test("A job that fails says why, after what it made is removed", async () => {
  const w = await world();
  const at = await w.create();
  const gone = { connection: "local", uuid: crypto.randomUUID() };
  const cleanUp = vi.fn(async () => {});
  const jobs = runnerOn(w);
  const refused = kindOf(async ({ operate }) => {
    await operate({
      target: at,
      intent: () => [{ kind: "media.eject", drive: { bus: "sata", target: "sdz" } } as never],
    });
    return undefined;
  }, cleanUp);
  const broken = kindOf(async () => {
    throw new TypeError("broken");
  });
  const [one, two] = [
    await jobs.start({ kind: refused, ...asked, target: gone }),
    await jobs.start({ kind: broken, ...asked }),
  ];
  await jobs.idle();
  expect(await w.store.job(one.id)).toMatchObject({ status: "failed", error: { code: expect.any(String) } });
  expect(cleanUp).toHaveBeenCalledOnce();
  expect((await w.store.job(two.id))?.error).toEqual({
    code: "DEFECT",
    message: "This is a fault in Bootwright itself; its log has it under defect",
  });
  expect((await eventsOf(w, two.id)).at(-1)).toBe("job.failed");
});

test("Two jobs run at a time, and a third waits until one has ended; queued, it can be cancelled at once", async () => {
  const w = await world();
  const go = Promise.withResolvers<undefined>();
  const begun: string[] = [];
  const kind = kindOf(async ({ job }) => {
    begun.push(job.id);
    return go.promise;
  });
  const jobs = runnerOn(w);
  const ids: string[] = [];
  for (let count = 0; count < 4; count++) ids.push((await jobs.start({ kind, ...asked })).id);
  await expect.poll(() => begun.length).toBe(2);
  expect((await w.store.jobs({ status: ["queued"], limit: 9 })).length).toBe(2);
  expect((await jobs.cancel(ids[3]!)).status).toBe("cancelled");
  go.resolve(undefined);
  await jobs.idle();
  expect(begun).toEqual(ids.slice(0, 3));
  for (const id of begun) expect((await w.store.job(id))?.status).toBe("done");
});

test("Queued jobs that are cancelled at one moment, by several callers, take no other job out of the queue", async () => {
  const w = await world();
  const go = Promise.withResolvers<undefined>();
  const kind = kindOf(() => go.promise);
  const jobs = runnerOn(w);
  const ids: string[] = [];
  for (let count = 0; count < 5; count++) ids.push((await jobs.start({ kind, ...asked })).id);
  const [third, fourth] = [ids[2]!, ids[3]!];
  await Promise.all([third, third, fourth, fourth].map((id) => jobs.cancel(id)));
  go.resolve(undefined);
  await jobs.idle();
  const statuses = await Promise.all(ids.map(async (id) => (await w.store.job(id))?.status));
  expect(statuses).toEqual(["done", "done", "cancelled", "cancelled", "done"]);
});

test("What a process leaves that ends goes on from its checkpoint in another", async () => {
  const w = await world();
  const at = await w.create({ name: "web" });
  const written: number[] = [];
  let isFirst = true;
  const kind = imageKind({
    async write(block, signal) {
      if (isFirst && block === 2) return untilAborted(signal);
      written.push(block);
    },
  });
  const first = runnerOn(w);
  const { id } = await first.start({ kind, input: { blocks: 4 }, actor: "cli", target: at, name: "web" });
  await expect.poll(() => written).toEqual([0, 1]);
  await first.close();
  expect(await w.store.job(id)).toMatchObject({ status: "running", percent: 50 });
  isFirst = false;
  const second = runnerOn(w, await otherStore(w));
  await second.takeUp();
  await second.idle();
  expect(written).toEqual([0, 1, 2, 3]);
  expect((await w.store.job(id))?.status).toBe("done");
  expect((await eventsOf(w, id)).filter((type) => type === "job.started")).toHaveLength(1);
});

test("A job of a kind or of a connection that this program does not know is left to one that does", async () => {
  const w = await world();
  const lives = runnerOn(w);
  const kind = `test.${crypto.randomUUID()}`;
  const forget = addJob(
    kind,
    defineJob({ input: z.unknown(), title: () => "x", run: ({ signal }) => untilAborted(signal) }),
  );
  const { id } = await lives.start({ kind, ...asked });
  const far = await lives.start({ kind, ...asked, target: { connection: "far", uuid: "u" } });
  await lives.close();
  forget();
  const next = runnerOn(w, await otherStore(w));
  await next.takeUp();
  expect(next.count()).toBe(0);
  onTestFinished(addJob(kind, defineJob({ input: z.unknown(), title: () => "x", run: async () => ({ ran: true }) })));
  await next.takeUp();
  await next.idle();
  expect((await w.store.job(id))?.result).toEqual({ ran: true });
  expect((await w.store.job(far.id))?.status).toBe("running");
  // Only a server that has its connection can remove what it left.
  expect((await next.cancel(far.id)).status).toBe("cancelling");
});

test("A job that ends its process each time is given up", async () => {
  const w = await world();
  const kind = kindOf(({ signal }) => untilAborted(signal));
  let runner = runnerOn(w);
  const { id } = await runner.start({ kind, ...asked });
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    await hasStatus(w, id, "running");
    await runner.close();
    runner = runnerOn(w, await otherStore(w));
    await runner.takeUp();
  }
  await runner.idle();
  expect(await w.store.job(id)).toMatchObject({ status: "failed", error: { code: "JOB_INTERRUPTED" } });
});

test("A checkpoint begins the count of attempts again", async () => {
  const w = await world();
  let round = 0;
  const kind = kindOf(async ({ report, signal }) => {
    round += 1;
    await report({ checkpoint: { round } });
    return round > ATTEMPTS_MAX + 2 ? { round } : untilAborted(signal);
  });
  let runner = runnerOn(w);
  const { id } = await runner.start({ kind, ...asked });
  for (let attempt = 1; attempt <= ATTEMPTS_MAX + 2; attempt++) {
    await expect.poll(async () => (await w.store.job(id))?.checkpoint).toEqual({ round: attempt });
    await runner.close();
    runner = runnerOn(w, await otherStore(w));
    await runner.takeUp();
  }
  await runner.idle();
  expect(await w.store.job(id)).toMatchObject({ status: "done", result: { round: ATTEMPTS_MAX + 3 } });
});

test("A job is recorded with an input that its kind takes, or not at all", async () => {
  const w = await world();
  const jobs = runnerOn(w);
  await expect(jobs.start({ kind: imageKind(), input: { blocks: 0 }, actor: "cli" })).rejects.toThrow("blocks");
  await expect(jobs.start({ kind: "no.such.kind", ...asked })).rejects.toThrow(TypeError);
  expect(await w.store.jobs({ limit: 9 })).toEqual([]);
});

test("A job that does not heed its signal keeps no process from its end", async () => {
  const w = await world();
  const kind = kindOf(() => new Promise(() => {}));
  const jobs = runnerOn(w, w.store, { closeMs: 20 });
  const { id } = await jobs.start({ kind, ...asked });
  await hasStatus(w, id, "running");
  await jobs.close();
  expect((await w.store.job(id))?.status).toBe("running");
});
