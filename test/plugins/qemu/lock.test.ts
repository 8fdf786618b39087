// Goal: one writer at a time, and a dead one keeps nobody out. Method: another process takes the lock and is killed. What
// it cannot see: file systems without locks.

// @module-tag process
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { NAMES, withLock } from "../../../plugins/qemu/lock.ts";
import { temporaryDirectory } from "../../support/memory.ts";

const source = fileURLToPath(new URL("../../../plugins/qemu/lock.ts", import.meta.url));
const uuid = "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10";

/** Another process that holds the lock until it is killed. */
async function holder(directory: string): Promise<() => Promise<void>> {
  const script = `import { withLock } from ${JSON.stringify(source)};
    await withLock(${JSON.stringify(directory)}, ${JSON.stringify(uuid)}, undefined, async () => {
      process.stdout.write("held");
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
    });`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
}

describe("withLock()", () => {
  it("keeps others out while another process holds it, and not a moment longer", async () => {
    const directory = temporaryDirectory();
    const kill = await holder(directory);
    await expect(withLock(directory, uuid, AbortSignal.timeout(300), async () => "in")).rejects.toThrow(/abort/i);
    expect(await withLock(directory, NAMES, undefined, async () => "in")).toBe("in");
    await kill();
    expect(await withLock(directory, uuid, undefined, async () => "in")).toBe("in");
  });
  it("lets one after the other in within a process, whatever becomes of their work", async () => {
    const directory = temporaryDirectory();
    let inside = 0;
    const work = async (fails: boolean) => {
      inside += 1;
      expect(inside).toBe(1);
      await new Promise((turn) => setImmediate(turn));
      inside -= 1;
      if (fails) throw new Error("it failed");
    };
    const all = [0, 1, 2, 3, 4, 5].map((turn) => withLock(directory, uuid, undefined, () => work(turn % 2 === 0)));
    const ended = await Promise.allSettled(all);
    expect(ended.map(({ status }) => status)).toEqual(Array(3).fill(["rejected", "fulfilled"]).flat());
  });
});
