/** One operation per VM at a time: in turns within this process, by a row between processes. */
import { setTimeout as delay } from "node:timers/promises";
import type { Operation } from "../domain/changes/operation.ts";
import { DomainError } from "../domain/error.ts";
import type { Target } from "../domain/model/vm.ts";
import type { Claim } from "../domain/ports/store.ts";
import { pauses } from "./backoff.ts";
import type { createClaimReleases } from "./claim-release.ts";
import { ClaimRow, VmRow } from "./entities.ts";
import { KeyedMutex, type Unlock } from "./keyed-mutex.ts";
import { livingOf } from "./living.ts";
import { openOperationsOn } from "./open-operations.ts";
import type { Database, Liveness } from "./ports.ts";
import { keyOf, keyText } from "./records.ts";

/** Callers of this process that wait for one VM. The next one would wait in vain, and wait in others' way. */
export const CLAIM_WAITERS_MAX = 32;

type Asking = Readonly<{ actor: string; what: string }>;
type Held = Readonly<{ holder: string; actor: string; what: string; since: string }>;

type Releases = Pick<ReturnType<typeof createClaimReleases>, "release" | "replacing">;

export function createClaimStore(database: Database, liveness: Liveness, releases: Releases, now: () => Date) {
  const mutex = new KeyedMutex();
  let hasClaimed = false;

  const heldBy = (target: Target): Promise<Held | null> => database.read((em) => em.findOne(ClaimRow, keyOf(target)));

  /** Puts our row in the place of `found`, which was nobody's or a dead holder's; undefined if it changed meanwhile. */
  const enter = (target: Target, asking: Asking, found: Held | null): Promise<Operation[] | undefined> =>
    releases.replacing(target, (forget) =>
      database.write(async (em) => {
        forget();
        const key = keyOf(target);
        if (found) await em.nativeDelete(ClaimRow, { ...key, holder: found.holder, since: found.since });
        if ((await em.count(ClaimRow, key)) > 0) return undefined;
        const { actor, what } = asking;
        await em.insert(ClaimRow, { ...key, holder: liveness.id, actor, what, since: now().toISOString() });
        return openOperationsOn(em, key);
      }),
    );

  async function enterInTime(target: Target, asking: Asking, begun: number, waitMs: number, signal?: AbortSignal) {
    for (const pauseMs of pauses()) {
      signal?.throwIfAborted();
      const found = await heldBy(target);
      // A row of our own, in our own turn, is one that could not be removed when it was released.
      const free = !found || found.holder === liveness.id || !(await liveness.isAlive(found.holder));
      const left = free ? await enter(target, asking, found) : undefined;
      if (left) return left;
      const leftMs = begun + waitMs - performance.now();
      if (leftMs <= 0) throw await busy(target, begun, found);
      await delay(Math.min(pauseMs, leftMs), undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
    throw new Error("The pauses never end");
  }

  /** A process that died before its operation began leaves nothing but its row. On a VM that goes on the next claim takes
   * its place; on one that was never made nobody asks again. */
  async function removeDead(): Promise<void> {
    const rows = await database.read((em) =>
      em.find(ClaimRow, {}, { fields: ["connection", "uuid", "holder", "since"] }),
    );
    const living = await livingOf(liveness, rows);
    const dead = rows.filter((row) => !living.has(row.holder));
    if (dead.length === 0) return;
    await database.write(async (em) => {
      for (const row of dead) await em.nativeDelete(ClaimRow, { ...keyOf(row), holder: row.holder, since: row.since });
    });
  }

  async function busy(target: Target, begun: number, found: Held | null, waitingMax?: number): Promise<DomainError> {
    const waitedMs = Math.round(performance.now() - begun);
    const held = found ?? (await heldBy(target));
    const row = await database.read((em) => em.findOne(VmRow, keyOf(target), { fields: ["name"] }));
    const { actor, what, since } = held ?? { actor: "another operation", what: "a change", since: now().toISOString() };
    const vm = row?.name ?? target.uuid;
    const full = waitingMax !== undefined && { waitingMax };
    return new DomainError("VM_BUSY", { vm, holder: actor, what, since, waitedMs, ...full });
  }

  return {
    async claim(target: Target, asking: Asking, waitMs: number, signal?: AbortSignal): Promise<Claim> {
      const begun = performance.now();
      if (mutex.waitingFor(keyText(target)) >= CLAIM_WAITERS_MAX)
        throw await busy(target, begun, null, CLAIM_WAITERS_MAX);
      const unlock = await mutex.lock(keyText(target), waitMs, signal);
      if (!unlock) throw await busy(target, begun, null);
      try {
        await liveness.hold();
        const isFirst = !hasClaimed;
        hasClaimed = true;
        if (isFirst) await removeDead();
        const left = await enterInTime(target, asking, begun, waitMs, signal);
        return { left, release: once(() => releases.release(target), unlock) };
      } catch (error) {
        unlock();
        throw error;
      }
    },

    /** Removes every claim of this process. */
    releaseAll: (): Promise<unknown> => database.write((em) => em.nativeDelete(ClaimRow, { holder: liveness.id })),
  };
}

/** The release of a claim: its second call does nothing, and the turn ends even if the row could not be removed. */
function once(release: () => Promise<void>, unlock: Unlock): () => Promise<void> {
  let released: Promise<void> | undefined;
  return () => (released ??= release().finally(unlock));
}
