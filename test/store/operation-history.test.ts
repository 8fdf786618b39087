import { expect, test } from "vitest";
import { event, open, operation, refusal, run, step, target, temporaryDirectory } from "./fixture.ts";

const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 10, 0, second)).toISOString();
const elsewhere = { ...target, connection: "lab2" };
const ids = (operations: readonly { id: string }[]) => operations.map(({ id }) => id);

test("operations() lists the newest first, by time and then by id", async () => {
  const store = await open(temporaryDirectory());
  for (const [id, second] of [
    ["a", 1],
    ["c", 2],
    ["b", 2],
    ["d", 0],
  ] as const)
    await run(store, { id, begunAt: at(second) });
  expect(ids(await store.operations({ limit: 10 }))).toEqual(["c", "b", "a", "d"]);
  expect(ids(await store.operations({ limit: 2 }))).toEqual(["c", "b"]);
  expect(await store.operations({ limit: 0 })).toEqual([]);
});

test("operations() chooses by VM, by connection and by status", async () => {
  const store = await open(temporaryDirectory());
  await run(store, { id: "a", begunAt: at(1) });
  await run(store, { id: "b", begunAt: at(2), target: elsewhere });
  await run(
    store,
    { id: "c", begunAt: at(3) },
    { status: "unknown", events: [event("c:unknown", "operation.unknown")] },
  );
  await store.begin(operation("d", { begunAt: at(4), target: { ...target, uuid: "other" } }));
  expect(ids(await store.operations({ target, limit: 10 }))).toEqual(["c", "a"]);
  expect(ids(await store.operations({ connection: "local", limit: 10 }))).toEqual(["d", "c", "a"]);
  expect(ids(await store.operations({ status: ["begun", "unknown"], limit: 10 }))).toEqual(["d", "c"]);
  expect(ids(await store.operations({ target, status: ["applied"], limit: 10 }))).toEqual(["a"]);
  expect(await store.operations({ status: [], limit: 10 })).toEqual([]);
});

test("operations() goes on behind the operation it is given, without a gap or a repetition, and refuses one that is not there", async () => {
  const store = await open(temporaryDirectory());
  // Many at one moment: a page may end among them.
  for (let number = 10; number < 31; number++)
    await run(store, { id: `op-${number}`, begunAt: at(Math.floor(number / 8)) });
  const seen: string[] = [];
  for (let before: string | undefined; ; ) {
    const page = await store.operations({ target, limit: 4, ...(before !== undefined && { before }) });
    if (page.length === 0) break;
    seen.push(...ids(page));
    before = page.at(-1)?.id;
  }
  expect(seen).toEqual(ids(await store.operations({ limit: 100 })));
  expect(seen).toHaveLength(21);
  await expect(store.operations({ before: "op-99", limit: 4 })).rejects.toEqual(refusal("OPERATION_NOT_FOUND"));
});

test("operations() gives every part of an operation but the definition that it kept", async () => {
  const store = await open(temporaryDirectory());
  const error = { code: "GUEST_REFUSED", message: "no" };
  await run(store, { id: "a", definition: "<domain/>", steps: [step("x")] }, { status: "failed", error });
  const { definition, ...rest } = (await store.operation("a"))!;
  expect(definition).toBe("<domain/>");
  const [listed] = await store.operations({ limit: 1 });
  expect(listed).toEqual(rest);
  expect(listed).not.toHaveProperty("definition");
});

/** Goal: a list does not read definitions. Method: forty of 2 MB each, more than could be read in the time allowed; the time
 * without them is measured beside. What SQLite reads from the file cannot be seen from here. */
test("operations() and definitions() take no longer where definitions are large", { timeout: 30_000 }, async () => {
  const [small, large] = [await open(temporaryDirectory()), await open(temporaryDirectory())];
  const text = "x".repeat(2 * 2 ** 20);
  for (let number = 0; number < 40; number++) {
    await run(small, { id: `${number}`, definition: "x" });
    await run(large, { id: `${number}`, definition: text });
  }
  const timed = async (store: typeof small) => {
    const times: number[] = [];
    for (let round = 0; round < 15; round++) {
      const begun = performance.now();
      await store.operations({ target, limit: 40 });
      await store.definitions(target, 40);
      times.push(performance.now() - begun);
    }
    return Math.min(...times);
  };
  expect(await timed(large)).toBeLessThan((await timed(small)) * 3 + 2);
});

test("definitions() lists what there is of one VM with its size in bytes, newest first, and definition() gives the text", async () => {
  const store = await open(temporaryDirectory());
  await run(store, { id: "a", begunAt: at(1), definition: "<domain>한글</domain>" });
  await run(store, { id: "b", begunAt: at(2), what: "create_vm" });
  await run(store, { id: "c", begunAt: at(3), what: "resize_disk", definition: "" });
  await run(store, { id: "d", begunAt: at(4), target: elsewhere, definition: "<domain/>" });
  expect(await store.definitions(target, 10)).toEqual([
    { operation: "c", what: "resize_disk", begunAt: at(3), bytes: 0 },
    { operation: "a", what: "set_boot_order", begunAt: at(1), bytes: 23 },
  ]);
  expect(await store.definitions(target, 1)).toHaveLength(1);
  expect(await store.definition("a")).toBe("<domain>한글</domain>");
  expect([await store.definition("b"), await store.definition("none")]).toEqual([undefined, undefined]);
});

test("lastNamed() finds the VM that bore a name last when it was made or deleted, on the connections that are asked for", async () => {
  const store = await open(temporaryDirectory());
  const nothing = { target, disks: {}, isos: {} };
  const named = (name: string) => ({ ...nothing, vm: { name } });
  const made = (name: string, at = target) => ({
    what: "create_vm",
    target: at,
    steps: [
      { ...step("disk.create"), goal: nothing },
      { ...step("vm.create"), goal: named(name) },
    ],
  });
  const deleted = (name: string, at = target) => ({
    what: "delete_vm",
    target: at,
    before: named(name),
    steps: [step("vm.delete")],
  });
  const other = { ...target, uuid: "other" };
  const runAt = (second: number, { steps, ...more }: ReturnType<typeof made | typeof deleted>) =>
    run(store, { id: `op-${second}`, begunAt: at(second), ...(more as object), steps: steps as never });
  await runAt(1, made("web"));
  await runAt(2, deleted("mail"));
  await runAt(3, made("web", other));
  await runAt(4, deleted("web", elsewhere));
  expect(await store.lastNamed("web", ["local", "lab2"])).toEqual(elsewhere);
  expect(await store.lastNamed("web", ["local"])).toEqual(other);
  expect(await store.lastNamed("mail", ["local"])).toEqual(target);
  for (const name of ["db", "", "%"]) expect(await store.lastNamed(name, ["local", "lab2"])).toBeUndefined();
  expect(await store.lastNamed("web", [])).toBeUndefined();
});
