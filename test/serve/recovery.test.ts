import { expect, onTestFinished, test, vi } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import { recoverInBackground } from "../../src/serve/recovery.ts";
import { orderChange, type World, world } from "../support/world.ts";

type Away = { away: boolean };

/** A world whose hypervisor can be away, with a change of a VM on it that nobody can tell the outcome of. */
async function worldInDoubt(): Promise<{ w: World; hypervisor: Away; operation: string }> {
  const hypervisor: Away = { away: false };
  const reached = <T>(work: () => Promise<T>): Promise<T> => {
    if (!hypervisor.away) return work();
    return Promise.reject(new DomainError("BACKEND_UNAVAILABLE", { connection: "local", reason: "it is away" }));
  };
  const w = await world({
    wrap: (backend) => ({
      ...backend,
      observe: (uuid, signal) => reached(() => backend.observe(uuid, signal)),
      async apply(vm, change, context) {
        await backend.apply(vm, change, context);
        if (change.kind !== "boot_order.set") return;
        hypervisor.away = true;
        throw new Error("the connection broke");
      },
    }),
  });
  const at = await w.create();
  const failed = await w.run(at, (state) => [orderChange(state, "hd")]).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  return { w, hypervisor, operation: (failed as DomainError<"OUTCOME_UNKNOWN">).details.operation };
}

function recovering({ connections, ports, store }: World): string[] {
  const told: string[] = [];
  const stop = recoverInBackground({
    services: {
      ...ports,
      connections,
      plugins: { list: async () => [] },
      store: async () => store,
    },
    log: (message) => told.push(message),
    afterMs: 10,
    everyMs: 30,
  });
  onTestFinished(stop);
  return told;
}

test("recoverInBackground() settles an unknown outcome once the hypervisor is back, and tells each thing once", async () => {
  const { w, hypervisor, operation } = await worldInDoubt();
  const told = recovering(w);
  await vi.waitFor(() => expect(told).toHaveLength(1));
  await new Promise((later) => setTimeout(later, 150));
  expect(told).toEqual([expect.stringMatching(/of which nobody knew how it ended: unknown$/)]);
  hypervisor.away = false;
  await vi.waitFor(async () => expect((await w.store.operation(operation))?.status).toBe("applied"));
  await vi.waitFor(() => expect(told).toHaveLength(2));
  expect(told[1]).toMatch(/of which nobody knew how it ended: applied$/);
});

test("recoverInBackground() asks no hypervisor while nothing is open, and ends when it is told to", async () => {
  const asked = vi.fn();
  const w = await world({ wrap: (backend) => ({ ...backend, observe: asked }) });
  recovering({ ...w, connections: { ...w.connections, backend: asked } });
  await new Promise((later) => setTimeout(later, 150));
  expect(asked).not.toHaveBeenCalled();
});
