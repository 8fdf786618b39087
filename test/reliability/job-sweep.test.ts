/** After any failure a job ends once, and what it made, its VM and the database agree. Method: a job of the memory backend
 * is run again and again, each time with another fault at another call on the backend, its images or the store; then other
 * processes take up what is left. */
// @module-tag long
import { expect, onTestFinished, test } from "vitest";
import type { Change } from "../../src/domain/changes/catalogue.ts";
import { recoverAll } from "../../src/domain/engine/recover.ts";
import { addJob } from "../../src/domain/jobs/job.ts";
import type { JobRunner } from "../../src/domain/jobs/runner.ts";
import { bootOrderOf, rolesOf } from "../../src/domain/model/boot-order.ts";
import { isActive } from "../../src/domain/model/job.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import { perform } from "../domain/engine/faults.ts";
import { FIRST, imageJob, LAST } from "../support/image-job.ts";
import { jobsOf } from "../support/jobs.ts";
import { figure, scaled } from "../support/scale.ts";
import { GIB, target, vmSpec } from "../support/world.ts";
import { startClock } from "./sweep-clock.ts";
import { answerOf, type Fault, faulty, modes } from "./sweep-fault.ts";
import { openProcess, prepareFixture, type Template } from "./sweep-world.ts";

const BLOCKS = 3;
/** In CI one fault in so many; the number shares no factor with the modes'. */
const stride = scaled(1, 7);
const isFree = (blocks: ReadonlySet<number>) => blocks.size === 0;

const runnerOn = (ports: Ports): JobRunner => {
  const { backend, store, ...rest } = ports;
  const connections = { names: ["local"], capabilities: () => backend.capabilities, backend: async () => backend };
  return jobsOf({ ...rest, connections, store: async () => store }, { closeMs: 1, lookMs: 3_600_000 });
};

async function runOnce(template: Template, fault: Fault, kind: string, blocks: Set<number>) {
  blocks.clear();
  const fixture = await template.copy();
  const clock = startClock();
  const process = await openProcess(fixture, 2);
  const planted = faulty(process.ports, fault);
  const runner = runnerOn(planted.ports);
  const violations: string[] = [];
  const expects = (text: string, holds: boolean) => void (holds || violations.push(text));
  try {
    const work = async () => {
      const job = await runner.start({ kind, input: { blocks: BLOCKS }, actor: "test", target, name: "web" });
      await runner.idle();
      return job;
    };
    const answered = await answerOf(work(), planted, clock);
    if (answered) await planted.happenLate();
    await process.end();
    const succeeded = answered && "answer" in answered;
    for (const number of [3, 4]) {
      const next = await openProcess(fixture, number, 3_600_000);
      await recoverAll(next.ports, new AbortController().signal, () => {});
      const jobs = runnerOn(next.ports);
      await jobs.takeUp();
      await jobs.idle();
      await next.end();
    }
    const last = await openProcess(fixture, 5, 3_600_000);
    const [job, ...more] = await last.store.jobs({ limit: 9 });
    const types = (await last.store.events()).map(({ event }) => event.type).filter((type) => type.startsWith("job."));
    const ends = types.filter((type) => type !== "job.started" && type !== "job.progressed");
    const machine = fixture.session.machines.get(target.uuid)!;
    const { order } = bootOrderOf(machine.next, rolesOf(machine.next));
    const known = answered !== undefined && "error" in answered;
    expects("two jobs", more.length === 0);
    if (job) {
      // What the clean-up could not set back, or nobody knew the end of: the failed job's log and operations say so.
      const isAway = fault.mode.includes("from then on") || fault.mode.startsWith("is not answered");
      expects(`is ${job.status}`, !isActive(job));
      expects(
        `events: ${types.join(", ")}`,
        ends.length === 1 && types.filter((type) => type === "job.started").length === 1,
      );
      expects(`boots ${order} once it is ${job.status}`, order === LAST || (isAway && order === FIRST));
      if (job.status === "done") expects("blocks are missing", blocks.size === BLOCKS);
      else expects(`blocks are left of a job that is ${job.status}`, isFree(blocks));
    } else {
      expects("was answered, and is gone", !succeeded);
      expects("was never begun, and did something", isFree(blocks) && types.length === 0);
    }
    if (known && fault.mode === "refuses") expects("was refused, and is there", job === undefined);
    expects("an operation is open", (await last.store.open(target)).length === 0);
    const claim = await last.store.claim(target, { actor: "test", what: "look" }, 0).catch(() => undefined);
    expects("the VM is claimed", claim !== undefined);
    await claim?.release();
    await last.end();
    return { calls: planted.calls, violations, status: job?.status };
  } finally {
    clock.stop();
    await process.end();
    template.removeCopy(fixture);
  }
}

test(`A job with one of ${modes.length} faults at each of its calls ends once, and its caller is told truly`, {
  timeout: 600_000,
}, async () => {
  const kind = `image.${crypto.randomUUID()}`;
  const blocks = new Set<number>();
  const image = {
    write: async (block: number) => void blocks.add(block),
    remove: async () => blocks.clear(),
  };
  onTestFinished(addJob(kind, imageJob(image)));
  const template = await prepareFixture(async (_fixture, { ports }) => {
    const spec = vmSpec({ uuid: target.uuid });
    const made: Change[] = [
      { kind: "disk.create", path: spec.diskPath, sizeBytes: 20 * GIB },
      { kind: "vm.create", spec, ownedFiles: [spec.diskPath, spec.serialLog], at: ports.now().toISOString() },
    ];
    await perform(ports, target, made, { look: { diskPaths: [spec.diskPath], isoPaths: [] } });
    return target;
  });
  onTestFinished(template.remove);
  const plain = await runOnce(template, { nth: 0, mode: "refuses" }, kind, blocks);
  expect(plain).toMatchObject({ status: "done", violations: [] });
  const violations: string[] = [];
  const ended: Record<string, number> = {};
  let index = 0;
  for (const [place, call] of plain.calls.entries()) {
    for (const mode of modes) {
      if (index++ % stride !== 0) continue;
      const result = await runOnce(template, { nth: place + 1, mode }, kind, blocks);
      ended[String(result.status)] = (ended[String(result.status)] ?? 0) + 1;
      violations.push(...result.violations.map((text) => `${call} (${place + 1}) ${mode}: ${text}`));
    }
  }
  figure("jobs with a fault", JSON.stringify(ended));
  expect(violations).toEqual([]);
  for (const status of ["done", "failed", "undefined"]) expect(ended[status]).toBeGreaterThan(0);
});
