/** Goal: whatever is called in whatever order by whichever client, the tools do and say what a model of some lines does
 * and says. Method: random sequences of calls (dry runs, refusals, undoing and other programs' edits among them) on real
 * tools, a memory backend and a real database that two processes share; after each call everything is compared. */
// @module-tag long
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import { callTool } from "../../src/tools/call.ts";
import { allTools } from "../../src/tools/catalogue.ts";
import { figure, scaled } from "../support/scale.ts";
import { defineVm, editDefinition, putDisk, undefineVm } from "../support/simulator.ts";
import { GIB, images, isos, vmDefinition } from "../support/world.ts";
import { commandsOf } from "./model-commands.ts";
import { begin, type Coded, looks, type Real } from "./model-run.ts";
import { contextOf } from "./sweep-cases.ts";
import { type Fixture, openProcess, type Process, prepareFixture } from "./sweep-world.ts";

const CLIENTS = 2;
const SEQUENCES = scaled(2_000, 20);
const LENGTH = scaled(30, 20);
let calls = 0;

const template = await prepareFixture(async () => ({ connection: "local", uuid: "" }), {
  installerHonoursShutdown: true,
  shutdownMs: 0,
});
afterAll(() => template.remove());

function realOf({ session }: Fixture, processes: readonly Process[]): Real {
  const contexts = processes.map(({ ports }) => contextOf(ports));
  const uuidOf = (name: string) => [...session.machines.values()].find((machine) => machine.name === name)!.uuid;
  return {
    clients: CLIENTS,
    isos: { boots: isos.installer, data: isos.data },
    obeys: true,
    making: {},
    named: (name) => name,
    async call(client, tool, args) {
      if (!looks(tool)) calls++;
      try {
        return await callTool(allTools, tool, args, contexts[client]!);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        const { confirm } = error.details as { confirm?: string };
        throw { code: error.code, ...(confirm !== undefined && { confirm }) } satisfies Coded;
      }
    },
    outside: {
      async define(name) {
        const uuid = crypto.randomUUID();
        const path = `${images}/${name}-${uuid}.qcow2`;
        putDisk(session, { path, virtualBytes: GIB });
        const [disk] = vmDefinition().disks;
        defineVm(session, { uuid, name, next: vmDefinition({ order: "hd", disks: [{ ...disk!, path }] }) });
      },
      undefine: async (name) => undefineVm(session, uuidOf(name)),
      async setOrder(name, order) {
        const { boot } = vmDefinition({ order });
        editDefinition(session, uuidOf(name), (next) => ({ ...next, boot }));
      },
      async write(name) {
        const { path } = session.machines.get(uuidOf(name))!.next.disks[0]!;
        putDisk(session, { path: path!, content: "data", bootsBios: true });
      },
    },
  };
}

test("the tools do and say what the model does, whatever is called by whom", { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(commandsOf({ clients: CLIENTS, obeys: true }, LENGTH), async (commands) => {
    const fixture = await template.copy();
    const processes = await Promise.all(Array.from({ length: CLIENTS }, (_, index) => openProcess(fixture, index + 2)));
    const real = realOf(fixture, processes);
    try {
      await fc.asyncModelRun(() => begin(real), commands);
      for (const { store } of processes) expect(await store.open()).toEqual([]);
    } finally {
      for (const { end } of processes) await end();
      template.removeCopy(fixture);
    }
  });
  await fc.assert(property, { numRuns: SEQUENCES });
  figure("random sequences of calls in memory", SEQUENCES);
  figure("changes asked for in them", calls);
});
