/** A job of the memory backend: it puts a VM's disk first, makes an image block by block, and puts the CD-ROM first again. */
import { z } from "zod";
import { observe } from "../../src/domain/engine/observe.ts";
import { defineJob, type JobDefinition } from "../../src/domain/jobs/job.ts";
import type { PresetOrder } from "../../src/domain/model/boot-order.ts";
import { bootOrderOf } from "../../src/domain/model/boot-order.ts";
import { rolesFor } from "../../src/domain/model/roles.ts";
import type { State } from "../../src/domain/model/state.ts";
import { orderChange } from "./world.ts";

export type Image = Readonly<{
  /** Writes one block, which a process that ended may have written before. */
  write(block: number, signal: AbortSignal): Promise<void>;
  remove(): Promise<void>;
}>;

const Checkpoint = z.object({ blocks: z.number() });
const Input = z.object({ blocks: z.number().int().min(1) });
export type ImageJobInput = z.output<typeof Input>;

export const FIRST: PresetOrder = "hd_cdrom";
export const LAST: PresetOrder = "cdrom_hd";

const ordered = (order: PresetOrder) => (state: State) =>
  bootOrderOf(state.vm!.next, rolesFor(state)).order === order ? [] : [orderChange(state, order)];

export const imageJob = (image: Image): JobDefinition<ImageJobInput, z.output<typeof Checkpoint>> =>
  defineJob({
    input: Input,
    checkpoint: Checkpoint,
    title: (_input, name) => `Make an image of ${name}`,
    async run({ job, checkpoint, signal, report, operate, ports }, { blocks }) {
      const target = job.target!;
      if (!checkpoint) {
        await operate({ target, intent: ordered(FIRST) });
        await report({ percent: 0, message: "begun", checkpoint: { blocks: 0 } });
      }
      for (let block = checkpoint?.blocks ?? 0; block < blocks; block++) {
        await image.write(block, signal);
        const done = block + 1;
        await report({
          percent: (done / blocks) * 100,
          message: `${done} of ${blocks} blocks`,
          checkpoint: { blocks: done },
        });
      }
      await operate({ target, intent: ordered(LAST) });
      const { vm } = await observe(await ports(target.connection), target);
      return { blocks, vm: vm!.name };
    },
    async cleanUp({ job, operate }) {
      await image.remove();
      await operate({ target: job.target!, intent: ordered(LAST) });
    },
  });
