// @module-tag process
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { DomainError } from "../../src/domain/error.ts";
import { addJob, defineJob } from "../../src/domain/jobs/job.ts";
import { type Job, jobEvent } from "../../src/domain/model/job.ts";
import type { Store } from "../../src/domain/ports/store.ts";
import { callCommand } from "../../src/serve/cli.ts";
import { takeUpJobs } from "../../src/serve/jobs.ts";
import { viewJob } from "../../src/tools/job.ts";
import { defineTool, type Tool } from "../../src/tools/tool.ts";
import { open } from "../store/fixture.ts";
import { type CallOptions, openClient } from "../support/client.ts";
import { openHttp } from "../support/http.ts";
import { withJobs } from "../support/jobs.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { world } from "../support/world.ts";
import { run } from "./process.ts";
import { toolsFor } from "./tools-fixture.ts";

const jobOf = (more: Partial<Job> = {}): Job => {
  const at = new Date().toISOString();
  const begun = { attempts: 1, status: "queued", startedAt: at, updatedAt: at } as const;
  return { id: crypto.randomUUID(), kind: "test.copy", title: "Copy web", actor: "cli", input: {}, ...begun, ...more };
};
const add = async (store: Store, more: Partial<Job> = {}) => {
  const job = jobOf(more);
  await store.addJob(job, [jobEvent(job, "started", job.startedAt, "job.started")]);
  await store.advanceJob(job.id, { status: "running" }, []);
  return job;
};

describe("a job that another process runs", () => {
  it("is followed over MCP until it ends, with its percentage as progress", async () => {
    const data = temporaryDirectory();
    const server = await openClient({ settings: memorySettings(data) });
    onTestFinished(server.close);
    const store = await open(data);
    const { id } = await add(store);
    const heard: Parameters<NonNullable<CallOptions["onprogress"]>>[0][] = [];
    const following = server.call(
      "get_job",
      { job: id, wait_seconds: 60 },
      { onprogress: (progress) => void heard.push(progress) },
    );
    for (const percent of [25, 75]) {
      await store.advanceJob(id, { percent, message: `${percent} blocks` }, []);
      const progress = { progress: percent, total: 100, message: `${percent} blocks` };
      await expect.poll(() => heard.filter(({ message }) => message === progress.message)).toEqual([progress]);
    }
    await store.endJob(id, { status: "done", percent: 100, result: { bytes: 4096 } }, []);
    const { job } = await following;
    expect(job).toMatchObject({ job: id, status: "done", percent: 100, result: { bytes: 4096 } });
    const rising = heard.map(({ progress }) => progress);
    expect(rising).toEqual([...new Set(rising)].sort((a, b) => a - b));
  });

  it("is answered as it is when the time is up, and at once without a time", async () => {
    const data = temporaryDirectory();
    const server = await openClient({ settings: memorySettings(data) });
    onTestFinished(server.close);
    const { id } = await add(await open(data), { percent: 5 });
    for (const wait_seconds of [0, 1])
      expect((await server.call("get_job", { job: id, wait_seconds })).job).toMatchObject({
        status: "running",
        percent: 5,
      });
    expect((await server.refusal("get_job", { job: "nothing" }))?.code).toBe("JOB_NOT_FOUND");
  });

  it("is listed and cancelled over REST, and its events are told", async () => {
    const { ask, data } = await openHttp();
    const store = await open(data);
    const { uuid } = (await ask("POST", "/api/vms", { name: "web" })).body.vm;
    const target = { connection: "local", uuid };
    const [one, two] = [await add(store, { target, name: "web" }), await add(store)];
    const ids = async (path: string) => (await ask("GET", path)).body.jobs.map(({ job }: { job: string }) => job);
    expect((await ids("/api/jobs")).sort()).toEqual([one.id, two.id].sort());
    expect(await ids("/api/jobs?vm=web")).toEqual([one.id]);
    expect((await ask("GET", `/api/jobs/${one.id}`)).body.job).toMatchObject({
      target: { connection: "local", vm: uuid, name: "web" },
      percent: null,
    });
    const cancelled = await ask("POST", `/api/jobs/${one.id}/cancel`, {});
    expect([cancelled.status, cancelled.body.job.status]).toEqual([200, "cancelling"]);
    expect((await store.job(one.id))?.status).toBe("cancelling");
    await store.endJob(two.id, { status: "done" }, []);
    const ended = await ask("POST", `/api/jobs/${two.id}/cancel`, {});
    expect([ended.status, ended.body.code]).toEqual([409, "JOB_ENDED"]);
    expect(await ids("/api/jobs?status=cancelling")).toEqual([one.id]);
    const { events } = (await ask("GET", "/api/events/history?vm=web")).body;
    expect(events.map(({ type }: { type: string }) => type)).toContain("job.started");
  });

  it("is drawn as a bar on the command line", async () => {
    const data = temporaryDirectory();
    const store = await open(data);
    const { id } = await add(store, { percent: 50, message: "5 of 10 GiB" });
    const { code, stdout, stderr } = await run([
      ...memorySettings(data),
      "call",
      "get_job",
      `job=${id}`,
      "wait_seconds=1",
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).job).toMatchObject({ job: id, percent: 50 });
    expect(stderr).toBe(`[${"#".repeat(12)}${" ".repeat(12)}]  50% 5 of 10 GiB`);
  });
});

describe("a server", () => {
  it("takes up what a process left that ended, and leaves it to the next when it ends itself", async () => {
    const w = await world();
    const kind = `test.${crypto.randomUUID()}`;
    const begun: number[] = [];
    const run = async ({ signal }: { signal: AbortSignal }) => {
      begun.push(begun.length);
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      return promise;
    };
    onTestFinished(addJob(kind, defineJob({ input: z.unknown(), title: () => "x", run })));
    const job = jobOf({ kind });
    await w.store.addJob(job, []);
    await w.store.leaveJob(job.id);
    for (const rounds of [1, 2]) {
      const services = withJobs({ ...w.ports, connections: w.connections, store: async () => w.store });
      const stop = takeUpJobs({ services: services as never, log: () => {}, afterMs: 1, everyMs: 20 });
      await expect.poll(() => begun.length).toBe(rounds);
      await stop();
      expect((await w.store.abandonedJobs()).map(({ id }) => id)).toEqual([job.id]);
    }
  });
});

/** A tool that begins a job of this kind. */
const beginning = (kind: string) =>
  defineTool({
    ...(toolsFor("token").session.tools[0] as Tool),
    name: "begins",
    input: z.object({}),
    output: z.object({ job: z.unknown() }),
    run: async (_input, context) => ({ job: viewJob(await context.jobs.start({ kind, input: {}, actor: "cli" })) }),
  }) as unknown as Tool;

describe("the command line", () => {
  it("ends with 1 when the job that its call began has failed", async () => {
    const w = await world();
    const kind = `test.${crypto.randomUUID()}`;
    const run = async () => {
      throw new DomainError("VM_GONE", { vm: "web" });
    };
    onTestFinished(addJob(kind, defineJob({ input: z.unknown(), title: () => "Copy", run })));
    const { session } = toolsFor("token");
    const services = withJobs({ ...w.ports, connections: w.connections, store: async () => w.store });
    const code = await callCommand(
      { ...session, tools: [beginning(kind)], services: services as never },
      ["begins"],
      new AbortController().signal,
    );
    expect(code).toBe(1);
    expect(await w.store.jobs({ limit: 9 })).toMatchObject([{ status: "failed", error: { code: "VM_GONE" } }]);
  });

  it("waits for the job that its call began", async () => {
    const w = await world();
    const kind = `test.${crypto.randomUUID()}`;
    const definition = defineJob<unknown, unknown>({
      input: z.unknown(),
      checkpoint: z.unknown(),
      title: () => "Copy",
      async run({ report }) {
        await report({ percent: 40, checkpoint: 1 });
        return { copied: true };
      },
    });
    onTestFinished(addJob(kind, definition));
    const { session } = toolsFor("token");
    const services = withJobs({ ...w.ports, connections: w.connections, store: async () => w.store });
    const code = await callCommand(
      { ...session, tools: [beginning(kind)], services: services as never },
      ["begins"],
      new AbortController().signal,
    );
    expect(code).toBe(0);
    expect(services.jobs.count()).toBe(0);
    expect(await w.store.jobs({ limit: 9 })).toMatchObject([{ status: "done", result: { copied: true } }]);
  });

  it("leaves the job to a server where it is interrupted", async () => {
    const w = await world();
    const kind = `test.${crypto.randomUUID()}`;
    const definition = defineJob({
      input: z.unknown(),
      title: () => "Copy",
      run: ({ signal }) =>
        new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
        ),
    });
    onTestFinished(addJob(kind, definition));
    const { session } = toolsFor("token");
    const services = withJobs({ ...w.ports, connections: w.connections, store: async () => w.store });
    const interrupt = new AbortController();
    const calling = callCommand(
      { ...session, tools: [beginning(kind)], services: services as never },
      ["begins"],
      interrupt.signal,
    );
    await expect.poll(async () => (await w.store.jobs({ limit: 9 }))[0]?.status).toBe("running");
    interrupt.abort();
    expect(await calling).toBe(0);
    await services.jobs.close();
    expect(await w.store.abandonedJobs()).toMatchObject([{ status: "running" }]);
  });
});
