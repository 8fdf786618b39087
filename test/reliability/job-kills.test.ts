// @module-tag process
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { open, temporaryDirectory } from "../store/fixture.ts";
import { figure, scaled } from "../support/scale.ts";
import { JOB_BLOCK_BYTES, JOB_BLOCKS } from "./job-seed.ts";

const script = fileURLToPath(new URL("job-process.ts", import.meta.url));
const kills = scaled(16, 6);

/** Runs a process of `job-process.ts`, and yields its lines as they come. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string | undefined;
  return {
    next,
    async kill() {
      child.kill("SIGKILL");
      await once(child, "close");
    },
    async rest() {
      const rest: string[] = [];
      for (let line = await next(); line !== undefined; line = await next()) rest.push(line);
      return rest;
    },
  };
}

/** Goal: a job goes on in another process wherever the one that ran it was killed, and does nothing twice that counts.
 * Method: the process is killed at a block that is written, or not yet; the next one takes the job up. In the end the image, the
 * journal of events and the operations are what one process alone would have made. */
test(`A job whose process is killed ${kills} times is done once, by the processes that come after`, {
  timeout: 600_000,
}, async () => {
  const directory = temporaryDirectory();
  const image = join(directory, "image");
  const stopped: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const place = kill % 2 === 0 ? "before" : "after";
    const other = start(directory, image, kill === 0 ? "begin" : "go-on", place);
    if (kill > 0) expect(await other.next()).toMatch(/^log job .*: going on with "Make an image of web"/);
    const blocks: number[] = [];
    for (let count = 0; count < 3; count++) blocks.push(Number(/^block (\d+)$/.exec((await other.next()) ?? "")?.[1]));
    // What was written and not reported is written again: that block, and no other.
    const first = stopped.at(-1) ?? 0;
    expect(blocks).toEqual([first, first + 1, first + 2]);
    stopped.push(blocks[2]!);
    await other.kill();
  }
  const last = await start(directory, image, "go-on").rest();
  expect(last.at(-1)).toBe("idle");
  expect(new Set(readFileSync(image)).size).toBe(JOB_BLOCKS);
  expect(readFileSync(image).length).toBe(JOB_BLOCKS * JOB_BLOCK_BYTES);
  const store = await open(directory);
  const jobs = await store.jobs({ limit: 9 });
  expect(jobs).toMatchObject([{ status: "done", percent: 100, result: { blocks: JOB_BLOCKS } }]);
  const types = (await store.events()).map(({ event }) => event.type).filter((type) => type.startsWith("job."));
  expect(types).toEqual(["job.started", ...Array(10).fill("job.progressed"), "job.succeeded"]);
  expect(await store.open()).toEqual([]);
  figure("kills of a job's process", `${kills}, 0 blocks lost`);
});
