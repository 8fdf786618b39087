/** What the processes of the kill test share: the VM that each of them has in its memory, and the job. */
import { definitionFor } from "../../src/domain/changes/lifecycle.ts";
import { target, vmSpec } from "../support/world.ts";

export const JOB_KIND = "test.image";
export const JOB_BLOCKS = 40;
export const JOB_BLOCK_BYTES = 4096;

export function seedVm() {
  const spec = vmSpec({ uuid: target.uuid });
  const vm = { uuid: spec.uuid, name: spec.name, next: definitionFor(spec), running: false, persistent: true };
  const disk = { path: spec.diskPath };
  return { vm, disk, target };
}
