import { expect, onTestFinished, test, vi } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import { recoverInBackground } from "../../src/serve/recovery.ts";
import { withJobs } from "../support/jobs.ts";
import { orderChange, type World, world } from "../support/world.ts";

type Away = { away: boolean; refused: number };

/** A world whose hypervisor can be away, with a change of a VM on it that nobody can tell the outcome of. */
async function worldInDoubt(): Promise<{ w: World; hypervisor: Away; operation: string }> {
  const hypervisor: Away = { away: false, refused: 0 };
  const reached = <T>(work: () => Promise<T>): Promise<T> => {
    if (!hypervisor.away) return work();
    hypervisor.refused += 1;
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
  const logged: string[] = [];
  const stop = recoverInBackground({
    services: withJobs({
      ...ports,
      connections,
      plugins: { list: async () => [] },
      store: async () => store,
    }),
    log: (message) => logged.push(message),
    afterMs: 10,
    everyMs: 30,
  });
  onTestFinished(stop);
  return logged;
}

test("recoverInBackground() settles an unknown outcome once the hypervisor is back, and tells each thing once", async () => {
  const { w, hypervisor, operation } = await worldInDoubt();
  const logged = recovering(w);
  await expect.poll(() => logged).toHaveLength(1);
  const before = hypervisor.refused;
  await expect.poll(() => hypervisor.refused).toBeGreaterThan(before + 3);
  expect(logged).toEqual([expect.stringMatching(/whose outcome was unknown: unknown$/)]);
  hypervisor.away = false;
  await expect.poll(async () => (await w.store.operation(operation))?.status).toBe("applied");
  await expect.poll(() => logged).toHaveLength(2);
  expect(logged[1]).toMatch(/whose outcome was unknown: applied$/);
});

test("recoverInBackground() asks no hypervisor while nothing is open, and ends when it is told to", async () => {
  const asked = vi.fn();
  const w = await world({ wrap: (backend) => ({ ...backend, observe: asked }) });
  const open = vi.fn(w.store.open);
  recovering({ ...w, store: { ...w.store, open }, connections: { ...w.connections, backend: asked } });
  await expect.poll(() => open.mock.calls.length).toBeGreaterThan(3);
  expect(asked).not.toHaveBeenCalled();
});
