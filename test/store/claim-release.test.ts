/** Claims whose rows cannot be removed when they are released. Another process's lock on the database stands for every
 * reason there is. */
// @module-tag process
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import {
  asking,
  canMount,
  databaseOf,
  fill,
  Other,
  open,
  operation,
  smallDisk,
  target,
  temporaryDirectory,
} from "./fixture.ts";

function locked(directory: string): DatabaseSync {
  const database = new DatabaseSync(databaseOf(directory));
  database.exec("begin immediate");
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
}

const shortLockWait = { lockWaitMs: 30 };
const busy = expect.objectContaining({ code: "VM_BUSY" });

test("release() that cannot be recorded does not fail, and the VM is free for others soon after the trouble is over", async () => {
  const directory = temporaryDirectory();
  const [first, second] = [await open(directory, shortLockWait), await open(directory)];
  const claim = await first.claim(target, asking, 0);
  const lock = locked(directory);
  await claim.release();
  lock.close();
  await expect(second.claim(target, asking, 0)).rejects.toEqual(busy);
  // Nothing is asked of the first store meanwhile: it goes on by itself.
  await expect(second.claim(target, asking, 50_000)).resolves.toMatchObject({ left: [] });
});

test.each<["reads" | "writes"]>([["reads"], ["writes"]])(
  "A release that is still to be recorded is so when its store next %s",
  async (kind) => {
    const directory = temporaryDirectory();
    const [first, second] = [await open(directory, shortLockWait), await open(directory)];
    const claim = await first.claim(target, asking, 0);
    const lock = locked(directory);
    await claim.release();
    lock.close();
    await (kind === "reads" ? first.records() : first.begin(operation("a", { target: { ...target, uuid: "other" } })));
    await expect(second.claim(target, asking, 0)).resolves.toMatchObject({ left: [] });
  },
);

test("A release that is still being recorded does not take away the same process's next claim of that VM", async () => {
  const directory = temporaryDirectory();
  // One moment for both claims: the rows are not told apart by their time.
  const now = () => new Date("2026-11-23T12:00:00Z");
  const [first, second] = [await open(directory, { lockWaitMs: 900, now }), await open(directory)];
  const claim = await first.claim(target, asking, 0);
  const lock = locked(directory);
  await claim.release();
  // By now the removal is tried, fails, and pauses ever longer; the next claim comes within a pause. Nothing outside the
  // store shows its tries, so there is nothing to wait for.
  await new Promise((resolve) => setTimeout(resolve, 800));
  lock.close();
  const next = await first.claim(target, asking, 0);
  // Whatever is asked of a store comes after what it had still to remove.
  await first.records();
  await expect(second.claim(target, asking, 0)).rejects.toEqual(busy);
  await next.release();
  await (await second.claim(target, asking, 0)).release();
});

test("A release that is still to be recorded keeps no process alive, and close() ends it", async () => {
  const directory = temporaryDirectory();
  await (await open(directory)).close();
  for (const runtime of ["node", "deno"] as const) {
    const other = new Other(runtime, ["stuck", directory, target.uuid]);
    expect(await other.line()).toBe("stuck");
    expect(await other.ended()).toBe(0);
    const claim = await (await open(directory)).claim(target, asking, 0);
    expect(claim.left).toEqual([]);
    await claim.release();
  }
});

test.skipIf(!canMount())("release() on a full disk does not fail, and the VM is free once there is room", async () => {
  const directory = smallDisk(4);
  const [first, second] = [await open(directory, shortLockWait), await open(directory)];
  const claim = await first.claim(target, asking, 0);
  const room = fill(directory);
  // The log has room within its present length for some writes.
  await first.begin(operation("a", { definition: "x".repeat(2 ** 20) })).catch(() => undefined);
  for (let number = 0; number < 500; number++) {
    const written = await first.begin(operation(`${number}`)).then(
      () => true,
      () => false,
    );
    if (!written) break;
  }
  await claim.release();
  room();
  await (await second.claim(target, asking, 50_000)).release();
});
