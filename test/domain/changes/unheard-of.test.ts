/** Goal: a new kind of change is its definition and a handler, and nothing else knows of it. Method: a change that this
 * program does not have is defined here, with a handler in the memory backend, and goes all the way that others go. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import memory from "../../../plugins/memory/index.ts";
import { addChange, type Change } from "../../../src/domain/changes/catalogue.ts";
import { defineChange, vmOf } from "../../../src/domain/changes/change.ts";
import { recover } from "../../../src/domain/engine/recover.ts";
import { undoChanges } from "../../../src/domain/engine/undo-operation.ts";
import type { EventType } from "../../../src/domain/model/event.ts";
import type { State } from "../../../src/domain/model/state.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { machineOf } from "../../support/simulator.ts";
import { GIB, type World, world } from "../../support/world.ts";
import { left } from "../engine/abandoned-operation.ts";
import { perform, refusing } from "../engine/faults.ts";
import { refused } from "../fixture.ts";

const KIND = "memory_size.set";
const resize = (memoryBytes: number) => ({ kind: KIND, memoryBytes }) as unknown as Change;
const type = "memory_size.changed" as EventType;

const definition = defineChange({
  input: z.object({ memoryBytes: z.number().int().positive() }),
  appliedBy: "backend",
  writes: "definition",
  run: "keeps",
  observes: () => ({ vm: "next" }),
  takesDefinition: false,
  removesVm: false,
  explains: () => ({}),
  undoLater: {},
  again: (change) => change,
  goal(state, { memoryBytes }) {
    const vm = vmOf(state);
    return { ...state, vm: { ...vm, next: { ...vm.next, memoryBytes } } };
  },
  reached: (now, _goal, { memoryBytes }) => now.vm?.next.memoryBytes === memoryBytes,
  undo: (before) => [{ kind: KIND, memoryBytes: vmOf(before).next.memoryBytes }],
  events: (before, _after, { memoryBytes }) => [
    { type, data: { from_bytes: before.vm?.next.memoryBytes, to_bytes: memoryBytes } },
  ],
  summary: ({ memoryBytes }) => `give the VM ${memoryBytes / GIB} GiB of memory`,
});

/** A world whose memory backend has a handler for the change as well. */
async function worldWithHandler(): Promise<World> {
  const plain = await world();
  const handler = {
    running: "next_start" as const,
    async apply(_session: unknown, vm: { uuid: string } | undefined, change: unknown) {
      const machine = machineOf(plain.session, vm!.uuid);
      machine.next = { ...machine.next, memoryBytes: (change as { memoryBytes: number }).memoryBytes };
    },
  };
  const changes = { ...memory.backend!.changes, [KIND]: handler };
  const plugin = { ...memory, backend: { ...memory.backend!, changes } };
  const backend: Backend = bindBackend(plugin, plain.session, "local");
  return { ...plain, backend, ports: { ...plain.ports, backend } };
}

const memoryOf = (state: State) => state.vm!.next.memoryBytes;

describe("a change that no one has heard of", () => {
  let forget: () => void;
  beforeAll(() => {
    forget = addChange(KIND, definition);
  });
  afterAll(() => forget());

  async function setUp() {
    const w = await worldWithHandler();
    const at = await w.create({ memoryBytes: 2 * GIB });
    const run = (changes: readonly Change[], ports = w.ports) => perform(ports, at, changes);
    return { w, at, run };
  }

  test("is planned, made, seen, put on record and told", async () => {
    const { w, at, run } = await setUp();
    const { changed, operation, after, plan } = await run([resize(3 * GIB)]);
    expect([changed, memoryOf(after)]).toEqual([true, 3 * GIB]);
    expect(plan.steps.map(({ summary }) => summary)).toEqual(["give the VM 3 GiB of memory"]);
    expect((await run([resize(3 * GIB)])).changed).toBe(false);
    const [newest] = await w.store.operations({ target: at, limit: 1 });
    expect(newest).toMatchObject({ id: operation, status: "applied" });
    expect(newest?.steps[0]).toMatchObject({ change: resize(3 * GIB), summary: "give the VM 3 GiB of memory" });
    expect(newest?.steps[0]?.unreadable).toBeUndefined();
    const [event] = await w.store.listEvents({ target: at, types: [type], limit: 1 });
    expect(event?.event.data).toMatchObject({ from_bytes: 2 * GIB, to_bytes: 3 * GIB });
    expect(await w.store.record(at)).toMatchObject({ fingerprint: after.vm?.fingerprint });
  });

  test("is rolled back when a step behind it fails", async () => {
    const { w, at, run } = await setUp();
    const tag = { uuid: at.uuid, revision: 9, status: "NotInstalled" };
    const failing = refusing(w.ports, "claim.write");
    const steps = [resize(3 * GIB), { kind: "claim.write", tag } as Change];
    await expect(run(steps, failing)).rejects.toThrow("no");
    const [newest] = await w.store.operations({ target: at, limit: 1 });
    expect(newest).toMatchObject({ status: "rolled_back", steps: [{ status: "undone" }, { status: "planned" }] });
    expect(memoryOf(await w.look(at))).toBe(2 * GIB);
  });

  test("is undone later, and not once another program has changed it", async () => {
    const { w, at, run } = await setUp();
    const { operation } = await run([resize(3 * GIB)]);
    const made = (await w.store.operation(operation!))!;
    await run(undoChanges(made, await w.look(at)));
    expect(memoryOf(await w.look(at))).toBe(2 * GIB);
    await refused("UNDO_IMPOSSIBLE", (async () => undoChanges(made, await w.look(at)))());
  });

  test.each([
    { seen: 3 * GIB, status: "applied", ends: 3 * GIB },
    { seen: 2 * GIB, status: "rolled_back", ends: 2 * GIB },
    { seen: 5 * GIB, status: "rollback_failed", ends: 5 * GIB },
  ])("is settled as $status where its process died and $seen bytes are seen", async ({ seen, status, ends }) => {
    const { w, at } = await setUp();
    const operation = await left(w, at, () => [resize(3 * GIB)], {}, ["applying"]);
    const machine = machineOf(w.session, at.uuid);
    machine.next = { ...machine.next, memoryBytes: seen };
    expect(await recover(w.ports, operation)).toMatchObject({ status });
    expect(memoryOf(await w.look(at))).toBe(ends);
  });

  test("is shown, and settled by nobody, once the program has it no more", async () => {
    const { w, at, run } = await setUp();
    const { operation } = await run([resize(3 * GIB)]);
    const open = await left(w, at, () => [resize(4 * GIB)], {}, ["applying"]);
    forget();
    try {
      const [settled] = await w.store.operations({ target: at, limit: 1 });
      expect((await w.store.operation(open.id))?.steps[0]).toMatchObject({ summary: "give the VM 4 GiB of memory" });
      expect(settled?.steps[0]?.unreadable).toContain(KIND);
      expect(await recover(w.ports, (await w.store.operation(open.id))!)).toMatchObject({ status: "unknown" });
      const made = (await w.store.operation(operation!))!;
      await refused("UNDO_IMPOSSIBLE", (async () => undoChanges(made, await w.look(at)))());
    } finally {
      forget = addChange(KIND, definition);
    }
  });

  test("cannot take the place of one that there is", () => {
    expect(() => addChange("power.start", definition)).toThrow('There is a change "power.start" already');
  });
});
