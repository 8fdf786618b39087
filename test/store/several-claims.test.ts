import { expect, test } from "vitest";
import type { Target } from "../../src/domain/model/vm.ts";
import { thing } from "../../src/domain/ports/store.ts";
import { asking, open, operation, refusal, sql, target, temporaryDirectory } from "./fixture.ts";

const other: Target = { ...target, uuid: "00000000-0000-4000-8000-000000000002" };
const image = thing("local", "image", "/srv/base.qcow2");
const claimsIn = (directory: string) => sql(directory, "select connection, uuid from claims order by uuid");

test("claim() takes several VMs and things together, in one order, each once", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const claim = await store.claim([target, image, other, target], asking, 0);
  expect(claim.targets.map(({ uuid }) => uuid)).toEqual([other.uuid, target.uuid, image.uuid]);
  expect(claimsIn(directory).map(({ uuid }) => uuid)).toEqual([other.uuid, target.uuid, image.uuid]);
  await claim.release();
  expect(claimsIn(directory)).toEqual([]);
});

test("claim() of several is refused for the one that somebody has, and leaves the others free", async () => {
  const directory = temporaryDirectory();
  const [mine, theirs] = [await open(directory), await open(directory)];
  const held = await theirs.claim(image, { actor: "other", what: "clone" }, 0);
  await expect(mine.claim([target, image], asking, 0)).rejects.toEqual(refusal("VM_BUSY"));
  await (await mine.claim(target, asking, 0)).release();
  await held.release();
  await (await mine.claim([target, image], asking, 0)).release();
});

/** Goal: nobody waits for somebody who waits for him. Method: callers of two processes' stores and of one claim the same two
 * VMs in opposite orders, again and again, and each waits much longer than all of it takes. */
test("claims of the same two VMs in opposite orders never wait for each other", { timeout: 120_000 }, async () => {
  const directory = temporaryDirectory();
  const stores = [await open(directory), await open(directory)];
  const orders = [
    [target, other],
    [other, target],
  ];
  let [holding, most, done] = [0, 0, 0];
  const caller = async (number: number) => {
    for (let round = 0; round < 10; round++) {
      const claim = await stores[number % 2]!.claim(orders[(number >> 1) % 2]!, asking, 100_000);
      most = Math.max(most, ++holding);
      await new Promise((resolve) => setImmediate(resolve));
      holding -= 1;
      await claim.release();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, number) => caller(number)));
  expect([done, most]).toEqual([80, 1]);
  expect(claimsIn(directory)).toEqual([]);
});

test("an operation is found by everything that it holds, and what was left of it by whoever claims any of it", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const both = operation("a", { targets: [target, other, image] });
  await store.begin(both);
  await store.begin(operation("b"));
  expect(await store.operation("a")).toEqual(both);
  for (const one of [other, image]) {
    expect((await store.operations({ target: one, limit: 9 })).map(({ id }) => id)).toEqual(["a"]);
    const claim = await store.claim(one, asking, 0);
    expect(claim.left).toEqual([both]);
    await claim.release();
  }
  expect((await store.operations({ target, limit: 9 })).map(({ id }) => id).sort()).toEqual(["a", "b"]);
});

test("settle() gives the claim back in its own transaction, and releasing it then writes nothing", async () => {
  const directory = temporaryDirectory();
  const store = await open(directory);
  const claim = await store.claim([target, other], asking, 0);
  await store.begin(operation("a", { targets: [target, other] }));
  await store.settle("a", { status: "applied", steps: [], events: [], claim });
  expect(claimsIn(directory)).toEqual([]);
  const theirs = await (await open(directory)).claim(target, { actor: "other", what: "clone" }, 0);
  await claim.release();
  expect(claimsIn(directory)).toEqual([{ connection: "local", uuid: target.uuid }]);
  await theirs.release();
});
