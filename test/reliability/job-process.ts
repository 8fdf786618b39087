/** A process that runs jobs on VMs in memory until it is killed: `job-process.ts <directory> <image> <begin|go-on> [before|after]`.
 * It begins a job, or takes up what others left. The image is a file to which a job writes block by block. It prints a line
 * for each block, and `idle` once there is nothing left to do. It stops for good `before` the third block that it would
 * write, or `after` that is written and before anybody knows. */
import { open, rm } from "node:fs/promises";
import { argv } from "node:process";
import { addJob } from "../../src/domain/jobs/job.ts";
import { createJobRunner } from "../../src/domain/jobs/runner.ts";
import { openSqliteStore } from "../../src/store/sqlite/store.ts";
import { imageJob } from "../support/image-job.ts";
import { memoryBackend } from "../support/world.ts";
import { JOB_BLOCK_BYTES, JOB_BLOCKS, JOB_KIND, seedVm } from "./job-seed.ts";

const [directory = "", path = "", begin = "", stop] = argv.slice(2);
const STOPS_AT = 3;
let written = 0;
const forever = () => new Promise<never>(() => setInterval(() => {}, 1_000));
const { vm, disk, target } = seedVm();
const { backend } = await memoryBackend({ vms: [vm], disks: [disk] });
const newId = () => crypto.randomUUID();
const store = await openSqliteStore({ directory, imageDirectory: "/memory/images", connection: "local", newId });
addJob(
  JOB_KIND,
  imageJob({
    async write(block) {
      written += 1;
      if (written === STOPS_AT && stop === "before") {
        console.log(`block ${block}`);
        await forever();
      }
      const file = await open(path, "a+");
      try {
        await file.truncate(block * JOB_BLOCK_BYTES);
        await file.appendFile(Buffer.alloc(JOB_BLOCK_BYTES, block + 1));
      } finally {
        await file.close();
      }
      console.log(`block ${block}`);
      if (written === STOPS_AT && stop === "after") await forever();
    },
    remove: () => rm(path, { force: true }),
  }),
);
const jobs = createJobRunner({
  services: {
    connections: { names: ["local"], capabilities: () => backend.capabilities, backend: async () => backend },
    store: async () => store,
    newId,
    now: () => new Date(),
    claimWaitMs: 5_000,
  },
  log: (message) => console.log(`log ${message}`),
  defect: (error) => {
    console.error(error);
    return "defect";
  },
});
if (begin === "begin")
  await jobs.start({ kind: JOB_KIND, input: { blocks: JOB_BLOCKS }, actor: "test", target, name: vm.name });
else await jobs.takeUp();
await jobs.idle();
console.log("idle");
await jobs.close();
await store.close();
