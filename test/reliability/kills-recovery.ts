// New processes settle what was left: one may be killed at it, libvirt may be away for one, and the last is left in peace.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";
import { type BootwrightClient, Refused } from "../support/client.ts";
import type { Recorded } from "./agreement.ts";
import { type Aim, killProcess, openServer, openVictim } from "./kills-process.ts";
import type { Stage } from "./kills-round.ts";

function rows(data: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(join(data, "bootwright.sqlite"), { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** Returns the operations that are begun, or whose outcome is unknown. */
export const unsettled = (data: string, status = "status in ('begun', 'unknown')"): Recorded[] =>
  rows(data, `select * from operations where ${status}`).map(
    (row) => ({ ...row, steps: JSON.parse(String(row.steps)) }) as unknown as Recorded,
  );

const SETTLE_LIMIT_MS = 60_000;
const settledIn = async ({ place }: Stage) => {
  await expect
    .poll(() => unsettled(place.data).map(({ id }) => id), { timeout: SETTLE_LIMIT_MS, interval: 50 })
    .toEqual([]);
};

type Settled = Readonly<{ wrong: string[]; living: number }>;

/** Lets new processes settle what was left: one that is killed at it, one that libvirt is away for, and at last one that
 * is left in peace, at its own time or because the next operation on the VM comes first. */
export async function settle(stage: Stage, left: readonly Recorded[], killed: number): Promise<Settled> {
  const { chance, tally, place } = stage;
  const wrong: string[] = [];
  if (left.length > 0 && chance.of(0.25)) await recoverAndDie(stage, left);
  else if (left.length > 0 && chance.of(0.2)) wrong.push(...(await recoverBlind(stage)));
  const still = unsettled(place.data);
  const server = await openServer(stage);
  try {
    const messages = chance.of(0.4) ? await touchAll(stage, server) : [];
    await settledIn(stage);
    wrong.push(...(await checkReports(still, server, messages)));
    tally.unknownThenSettled += still.filter(({ status }) => status === "unknown").length;
    // Every VM can be changed again, and a process that claims one sweeps up behind the dead.
    await touchAll(stage, server);
    const claimed = rows(place.data, "select uuid from vms").length > 0;
    return { wrong, living: claimed ? 1 : 1 + killed };
  } finally {
    await server.close();
  }
}

/** Checks that each settlement is reported once on stderr, and once more by progress to a caller who asked for something else. */
async function checkReports(
  still: readonly Recorded[],
  server: BootwrightClient,
  messages: readonly string[],
): Promise<string[]> {
  const about = (lines: readonly string[], { id }: Recorded) =>
    lines.filter((line) => line.includes(`operation ${id} (`));
  const linesOf = (one: Recorded) => about(server.stderr().split("\n"), one);
  const unheard = () => still.filter((one) => linesOf(one).length === 0).map(({ id }) => id);
  await expect.poll(unheard, { timeout: HEAR_LIMIT_MS }).toEqual([]);
  const { operations } = await server.call("list_operations", { limit: 200 });
  return still.flatMap((one) => {
    const lines = linesOf(one);
    const status = operations.find(({ operation }) => operation === one.id)?.status;
    const heard = about(messages, one);
    const isTrue = [...lines, ...heard].every((line) => line.endsWith(`: ${status}`));
    if (lines.length === 1 && heard.length <= 1 && isTrue) return [];
    return [`of ${one.id}, which is ${status}, was said ${JSON.stringify([...lines, ...heard])}`];
  });
}
const HEAR_LIMIT_MS = 60_000;

const touchable = new Set(["SHRINK_REFUSED", "VM_GONE", "VM_NOT_FOUND", "VM_NOT_MANAGED", "DISK_NOT_GROWABLE"]);

/** Asks every VM on record for the size that its disk had at first, or a smaller one, which is never done. That settles what
 * was left on it, and proves that it can be asked. Returns the progress messages. */
async function touchAll({ place }: Stage, { call }: BootwrightClient): Promise<string[]> {
  const messages: string[] = [];
  const onprogress = ({ message = "" }) => void messages.push(message);
  const touch = async ({ uuid }: Record<string, unknown>) => {
    try {
      const { changed } = await call("resize_disk", { vm: uuid, size_gb: 1 }, { onprogress });
      expect(changed).toBe(false);
    } catch (error) {
      if (!(error instanceof Refused) || !touchable.has(error.refusal.code)) throw error;
    }
  };
  await Promise.all(rows(place.data, "select uuid from vms").map(touch));
  return messages;
}

async function recoverAndDie(stage: Stage, left: readonly Recorded[]): Promise<void> {
  const { chance, tally } = stage;
  const aim: Aim = chance.of(0.3)
    ? { at: "time", ms: 2000 + chance.upTo(400) }
    : {
        at: "call",
        writes: chance.of(0.5),
        nth: 1 + chance.below(chance.of(0.5) ? 3 : 20),
        moment: chance.of(0.3) ? "before" : "after",
        ms: chance.upTo(30),
      };
  const victim = await openVictim(stage, aim);
  victim.arm();
  const done = async () => {
    while (unsettled(stage.place.data).some(({ id }) => left.some((one) => one.id === id)))
      await new Promise((wake) => setTimeout(wake, 50));
  };
  let over = false;
  await Promise.race([victim.died, done(), new Promise((wake) => setTimeout(wake, 15_000))]).finally(
    () => (over = true),
  );
  await victim.close();
  if (over) {
    tally.kills++;
    tally.recoveriesKilled++;
  }
}

/** Lets a process recover without libvirt: it cannot look, says so with the reason, and changes nothing. */
async function recoverBlind(stage: Stage): Promise<string[]> {
  const server = await openServer(stage, join(stage.directory, "nobody-listens.sock"));
  const begun = unsettled(stage.place.data, "status = 'begun'");
  await expect
    .poll(() => unsettled(stage.place.data, "status = 'begun'").length, { timeout: SETTLE_LIMIT_MS, interval: 50 })
    .toBe(0);
  const unknown = unsettled(stage.place.data, "status = 'unknown'");
  killProcess(server.pid());
  await server.close();
  return begun.flatMap(({ id }) => {
    const now = unknown.find((one) => one.id === id);
    const reason = now?.error ? (JSON.parse(now.error) as { message?: string }).message : undefined;
    return reason ? [] : [`libvirt was away, and operation ${id} is ${now?.status} because of ${reason}`];
  });
}
