/** Claims: one operation per VM at a time, by a mutex within this process and by a row between processes. */
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
import type { Database, Liveness, SqlSession } from "./ports.ts";
import { keyOf, keyText } from "./records.ts";

/** The number of this process's callers that may wait for one VM. A further one would wait in vain and delay others. */
export const CLAIM_WAITERS_MAX = 32;

type Asking = Readonly<{ actor: string; what: string }>;
type Held = Readonly<{ holder: string; actor: string; what: string; since: string }>;

type Releases = Pick<ReturnType<typeof createClaimReleases>, "release" | "replacing">;

export function createClaimStore(database: Database, liveness: Liveness, releases: Releases, now: () => Date) {
  const mutex = new KeyedMutex();
  let hasClaimed = false;
  const ended = new WeakSet<Claim>();

  const heldBy = (target: Target): Promise<Held | null> => database.read((em) => em.findOne(ClaimRow, keyOf(target)));

  /** Replaces the rows `found`, which are a dead holder's, with this process's rows; undefined if any changed
   * meanwhile. It enters all rows or none, so that no process holds some and waits for the rest. */
  const enter = (targets: readonly Target[], asking: Asking, found: readonly ClaimRow[]) =>
    releases.replacing(targets, (forget) =>
      database.write(async (em): Promise<Operation[] | undefined> => {
        forget();
        for (const row of found)
          await em.nativeDelete(ClaimRow, { ...keyOf(row), holder: row.holder, since: row.since });
        if ((await em.count(ClaimRow, { $or: targets.map(keyOf) })) > 0) return undefined;
        const since = now().toISOString();
        const { actor, what } = asking;
        for (const target of targets)
          await em.insert(ClaimRow, { ...keyOf(target), holder: liveness.id, actor, what, since });
        return openOperationsOn(em, targets);
      }),
    );

  async function enterInTime(
    targets: readonly Target[],
    asking: Asking,
    begun: number,
    waitMs: number,
    signal?: AbortSignal,
  ) {
    for (const pauseMs of pauses()) {
      signal?.throwIfAborted();
      const found = await database.read((em) => em.find(ClaimRow, { $or: targets.map(keyOf) }));
      const living = await livingOf(liveness, found);
      // This process's own row, in its own turn, is one whose removal failed at its release.
      const taken = found.find(({ holder }) => holder !== liveness.id && living.has(holder));
      const left = taken ? undefined : await enter(targets, asking, found);
      if (left) return left;
      const leftMs = begun + waitMs - performance.now();
      if (leftMs <= 0) throw await busy(taken ?? targets[0]!, begun, taken ?? null);
      await delay(Math.min(pauseMs, leftMs), undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
    throw new Error("The pauses never end");
  }

  /** Takes the turn of each target within this process, in their order. */
  async function lockAll(targets: readonly Target[], begun: number, waitMs: number, signal?: AbortSignal) {
    const unlocks: Unlock[] = [];
    const unlockAll = () => {
      for (const unlock of unlocks.splice(0)) unlock();
    };
    try {
      for (const target of targets) {
        if (mutex.waitingFor(keyText(target)) >= CLAIM_WAITERS_MAX)
          throw await busy(target, begun, null, CLAIM_WAITERS_MAX);
        const leftMs = unlocks.length === 0 ? waitMs : Math.max(0, begun + waitMs - performance.now());
        const unlock = await mutex.lock(keyText(target), leftMs, signal);
        if (!unlock) throw await busy(target, begun, null);
        unlocks.push(unlock);
      }
      return unlockAll;
    } catch (error) {
      unlockAll();
      throw error;
    }
  }

  /** Removes the rows of processes that died before their operation began. On an existing VM the next claim replaces
   * such a row; a VM that was never created gets no further claim. */
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
    async claim(
      wanted: Target | readonly Target[],
      asking: Asking,
      waitMs: number,
      signal?: AbortSignal,
    ): Promise<Claim> {
      const begun = performance.now();
      const targets = inOrder(Array.isArray(wanted) ? wanted : [wanted as Target]);
      const unlock = await lockAll(targets, begun, waitMs, signal);
      try {
        await liveness.hold();
        const isFirst = !hasClaimed;
        hasClaimed = true;
        if (isFirst) await removeDead();
        const left = await enterInTime(targets, asking, begun, waitMs, signal);
        const claim: Claim = {
          targets,
          left,
          release: once(async () => {
            if (!ended.has(claim)) await releases.release(targets);
          }, unlock),
        };
        return claim;
      } catch (error) {
        unlock();
        throw error;
      }
    },

    /** Removes the rows of a claim in a transaction that ends it. */
    endIn: (em: SqlSession, { targets }: Claim): Promise<unknown> =>
      em.nativeDelete(ClaimRow, { $or: targets.map((target) => ({ ...keyOf(target), holder: liveness.id })) }),

    /** Notes that this transaction was written, so that the claim's release has nothing left to remove. */
    hasEnded: (claim: Claim): void => void ended.add(claim),

    /** Removes every claim of this process. */
    releaseAll: (): Promise<unknown> => database.write((em) => em.nativeDelete(ClaimRow, { holder: liveness.id })),
  };
}

/** The release of a claim. A second call does nothing, and the turn ends even if the row could not be removed. */
function once(release: () => Promise<void>, unlock: Unlock): () => Promise<void> {
  let released: Promise<void> | undefined;
  return () => (released ??= release().finally(unlock));
}

/** The targets without duplicates, in the same order for all callers. */
const inOrder = (targets: readonly Target[]): Target[] => {
  const byKey = new Map(targets.map((target) => [keyText(target), keyOf(target)]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
};
