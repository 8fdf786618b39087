/** The suite that every backend passes. It speaks to the domain's port alone, so that it says the same of all of them;
 * what a backend cannot do is declared, with its reason, and never left out in silence. The core is tested of all of
 * them, a group of those that have it.
 *
 * A guest here is firmware with a blank disk unless a test needs more: that is what every backend can start anywhere. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Change, type ChangeKind, changes, definitionOf } from "../../src/domain/changes/catalogue.ts";
import { goalOf } from "../../src/domain/changes/goal.ts";
import type { BackendGroups, GroupName } from "../../src/domain/ports/backend-groups.ts";
import { groupNames } from "../../src/plugin-host/backend-calls.ts";
import { changeCases } from "./contract-cases.ts";
import { definitionContract } from "./contract-definition.ts";
import { displayContract } from "./contract-display.ts";
import { eventsContract } from "./contract-events.ts";
import { guestContract } from "./contract-guest.ts";
import {
  codeOf,
  contextFor,
  type GroupTest,
  type Harness,
  harnessOn,
  type Opened,
  still,
  type Test,
} from "./contract-harness.ts";
import { imagesContract } from "./contract-images.ts";
import { specialContract } from "./contract-special.ts";

export { type Harness, type Opened, specFor } from "./contract-harness.ts";

export type ContractOptions = Readonly<{
  name: string;
  open: () => Promise<Opened & Required<Pick<Opened, "otherNames">>>;
  /** What is booted from the bootable ISO turns the VM off when its power button is pressed. */
  guestHonoursShutdown: boolean;
  /** Kinds of changes that the backend has no handler for, on purpose. */
  unsupported?: readonly ChangeKind[];
  /** Groups that the backend does not have, each with the reason. */
  lacks?: Readonly<Partial<Record<GroupName, string>>>;
  skip?: readonly Readonly<{ test: string; reason: string }>[];
  /** For a graceful stop that is honoured; an emulated guest has to boot first. */
  shutdownMs?: number;
}>;

export const backendKinds = (Object.keys(changes) as ChangeKind[]).filter(
  (kind) => changes[kind].appliedBy === "backend",
);

/** What each group has to do, where it is there. */
const groupContracts: { readonly [G in GroupName]: (test: GroupTest<G>) => void } = {
  display: displayContract,
  guest: guestContract,
  events: eventsContract,
};

export function backendContract(options: ContractOptions): void {
  const { name, skip = [], unsupported = [], lacks = {} } = options;
  const names = new Set<string>();
  let opened: Opened;
  let harness: Harness;
  let clear: () => Promise<void>;

  /** A test of the contract: skipped only by the list, which shows its reason. */
  const test: Test = (title, body, timeoutMs) => {
    names.add(title);
    const skipped = skip.find((one) => one.test === title);
    if (skipped) it.skip(`${title} (skipped: ${skipped.reason})`, () => {});
    else it(title, async () => void (await body(harness)), timeoutMs);
  };

  function groupContract<G extends GroupName>(group: G): void {
    const reason = lacks[group];
    const has = () => [opened.backend[group] !== undefined, opened.backend.capabilities.groups.includes(group)];
    if (reason !== undefined) {
      it(`is not there: ${reason}`, () => expect(has()).toEqual([false, false]));
      return;
    }
    it("is there, and is a capability", () => expect(has()).toEqual([true, true]));
    const own = ({ backend }: Harness) => (backend as BackendGroups)[group];
    groupContracts[group]((title, body, timeoutMs) => test(title, (on) => body(on, own(on)), timeoutMs));
  }

  describe(`backend contract: ${name}`, () => {
    beforeAll(async () => {
      opened = await options.open();
      ({ harness, clear } = harnessOn(opened));
    });
    afterEach(() => clear());
    afterAll(() => opened?.close());

    describe("declarations", () => {
      it("every change kind that a backend makes has a contract case", () => {
        expect(Object.keys(changeCases).sort()).toEqual([...backendKinds].sort());
      });
      it("capabilities hold exactly the changes that are not declared unsupported", () => {
        const supported = backendKinds.filter((kind) => !unsupported.includes(kind));
        expect(Object.keys(opened.backend.capabilities.changes).sort()).toEqual(supported.sort());
      });
      for (const kind of unsupported) {
        it(`apply() refuses ${kind}, which is unsupported, with CHANGE_UNSUPPORTED`, async () => {
          const change = { kind } as unknown as Change;
          expect(
            await codeOf(
              opened.backend.apply(undefined, change, { signal: AbortSignal.timeout(5_000), progress: () => {} }),
            ),
          ).toBe("CHANGE_UNSUPPORTED");
        });
      }
      it("the skip list names tests that there are", () => {
        expect(skip.filter((one) => !names.has(one.test) || one.reason === "")).toEqual([]);
      });
    });

    describe("reading", () => {
      test("list() is sorted by name and holds what was made", async ({ make, backend }) => {
        const [one, two] = [await make(), await make()];
        const vms = await backend.list();
        const listed = vms.map((vm) => vm.name);
        expect(listed).toEqual([...listed].sort((a, b) => (a < b ? -1 : 1)));
        expect(listed).toEqual(expect.arrayContaining([one.vm!.name, two.vm!.name]));
        expect(still(vms.find(({ uuid }) => uuid === one.target.uuid))).toEqual(still(one.vm));
      });
      test("observe() of an unknown UUID is undefined", async ({ backend }) => {
        expect(await backend.observe(crypto.randomUUID())).toBeUndefined();
      });
      test("lookup() knows a VM by its name alone", async ({ make, backend }) => {
        const { vm } = await make();
        expect(await backend.lookup(vm!.name)).toBe(vm!.uuid);
        expect(await backend.lookup(`${vm!.name}-not`)).toBeUndefined();
      });
      test("host() says what the host has", async ({ backend }) => {
        const host = await backend.host();
        expect(host?.memoryBytes).toBeGreaterThan(0);
        expect(host?.cpus).toBeGreaterThan(0);
      });
      test("fingerprint stays as it is while nothing changes, and tells VMs apart", async ({ make, look }) => {
        const [one, two] = [await make(), await make()];
        expect((await look(one.target.uuid)).vm!.fingerprint).toBe(one.vm!.fingerprint);
        expect(two.vm!.fingerprint).not.toBe(one.vm!.fingerprint);
      });
      test("reads end when they are aborted", async ({ backend }) => {
        await expect(backend.list(AbortSignal.abort())).rejects.toThrow();
      });
    });

    for (const kind of backendKinds.filter((one) => !unsupported.includes(one))) {
      describe(kind, () => changeContract(kind, test));
    }

    describe("what is special about some changes", () => specialContract(options, test));
    describe("exporting and importing a definition", () => definitionContract(test));
    describe("images", () => imagesContract(test));
    for (const group of groupNames) describe(`group ${group}`, () => groupContract(group));
    describe("closing", () => {
      test("close() may be called twice", async () => {
        const own = await options.open();
        await expect(own.close()).resolves.toBeUndefined();
        await expect(own.close()).resolves.toBeUndefined();
      });
    });
  });
}

/** Changes that stay once they are made; a test below fails when the domain says otherwise. */
const kept: readonly ChangeKind[] = [
  "power.start",
  "power.stop",
  "saved_state.discard",
  "drive.remove",
  "disk.delete",
  "disk.resize",
];

/** What holds for every change, shown on the cases of one kind. */
function changeContract(kind: ChangeKind, test: Test): void {
  for (const [situation, { arrange, change: changeFor }] of Object.entries(changeCases[kind] ?? {})) {
    const title = `${kind} (${situation})`;
    const begin = async (harness: Harness) => {
      const before = await arrange(harness);
      const change = changeFor(before, harness);
      return { before, change, definition: definitionOf(change), goal: goalOf(before, change) };
    };

    test(`${title} reaches its goal, and the second time changes nothing`, async (harness) => {
      const { before, change, definition, goal } = await begin(harness);
      expect(["kept", "pivot"].includes(definition.undo(before, change) as string), "has no undo").toBe(
        kept.includes(kind),
      );
      expect(definition.reached(before, goal, change, before), "reached before it was applied").toBe(false);
      const now = await harness.apply(before, change);
      expect(definition.reached(now, goal, change, before), "reached").toBe(true);
      // The engine never applies what is reached; a backend may therefore refuse, but it must not change anything.
      const again = await harness
        .apply(now, change)
        .catch(() => harness.look(now.target.uuid, { disks: Object.keys(now.disks) }));
      expect(still(again.vm)).toEqual(still(now.vm));
      expect(definition.reached(again, goal, change, before), "still reached").toBe(true);
    });

    if (!kept.includes(kind))
      test(`${title} comes back by its undo`, async (harness) => {
        const { before, change, definition } = await begin(harness);
        const undo = definition.undo(before, change);
        const kept = undo === "restore" ? await harness.backend.exportDefinition(before.target.uuid) : "";
        let now = await harness.apply(before, change);
        if (undo === "restore") {
          await harness.backend.importDefinition(before.target.uuid, kept, contextFor(now));
          now = await harness.look(before.target.uuid);
        } else {
          for (const back of undo as Change[]) {
            now = await harness.apply(now, back);
            expect(definitionOf(back).reached(now, before, back, now), `${back.kind} reached`).toBe(true);
          }
        }
        expect(now.vm?.next).toEqual(before.vm?.next);
        expect(now.vm?.live).toEqual(before.vm?.live);
        expect(now.vm?.claim).toEqual(before.vm?.claim);
      });

    // A VM that is not there yet has no fingerprint.
    if (kind !== "vm.create")
      test(`${title} with another fingerprint is refused with VM_CHANGED_MEANWHILE and touches nothing`, async (harness) => {
        const { before, change, definition, goal } = await begin(harness);
        expect(await codeOf(harness.apply(before, change, { expect: "another" }))).toBe("VM_CHANGED_MEANWHILE");
        const now = await harness.look(before.target.uuid, { disks: Object.keys(before.disks) });
        expect(still(now.vm)).toEqual(still(before.vm));
        expect(definition.reached(now, goal, change, before)).toBe(false);
      });

    test(`${title} is not begun after an abort`, async (harness) => {
      const { before, change, definition, goal } = await begin(harness);
      await expect(harness.apply(before, change, { signal: AbortSignal.abort() })).rejects.toThrow();
      const now = await harness.look(before.target.uuid, { disks: Object.keys(before.disks) });
      expect(still(now.vm)).toEqual(still(before.vm));
      expect(definition.reached(now, goal, change, before)).toBe(false);
    });
  }
}
