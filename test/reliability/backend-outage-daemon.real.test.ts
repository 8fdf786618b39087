// Goal: a libvirt daemon that is really killed, stopped for a while or restarted at any moment of an operation leaves
// nothing begun and nothing that disagrees, and tools that only read answer meanwhile. Method: a daemon of the tests' own,
// struck when the proxy in front of it has passed the nth call of an operation on. What it cannot see: every moment (the
// sweep in backend-outage.real.test.ts has every call, against a daemon that lives).

import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openLibvirt } from "../../plugins/libvirt/client/libvirt.ts";
import { canBeSystem, hasLibvirtd, type PrivateDaemon, startDaemon } from "../plugins/libvirt/client/private-daemon.ts";
import { Refused } from "../support/client.ts";
import { type LibvirtProxy, openProxy } from "../support/libvirt-proxy.ts";
import { figure, scaled } from "../support/scale.ts";
import { openTestbed, type Testbed } from "../support/vm.ts";
import { disagreements } from "./backend-outage-agreement.ts";
import { nextOperation } from "./backend-outage-next.ts";
import { operations } from "./backend-outage-operations.ts";

const { isos } = inject("guests");
const plugin = fileURLToPath(new URL("../support/short-late-limit-libvirt.ts", import.meta.url));
const SEED = Number(process.env.BOOTWRIGHT_SEED ?? randomInt(2 ** 31));
/** A stopped daemon counts as dead after some 35 s, and a connection to it as failed after 10 s more. */
const LIMIT_MS = 60_000;
/** Tools that only read give a hypervisor 5 s for a look, twice where a name is to be found first. */
const READ_LIMIT_MS = 15_000;
/** Shorter than a daemon has to be silent to count as dead. */
const STOPPED_MS = 2_000;
const strikes = ["killed", "killed and started again", "stopped for a while"] as const;

describe.skipIf(!hasLibvirtd || !canBeSystem)("a daemon that is struck", () => {
  let daemon: PrivateDaemon;
  let proxy: LibvirtProxy;
  let testbed: Testbed;
  let sockets: string;
  let calls = 0;
  let struck: Readonly<{ at: number; how: (typeof strikes)[number] }> | undefined;
  let striking: Promise<void> = Promise.resolve();
  let up = true;
  const uri = (socket: string) => `qemu:///system?socket=${socket}`;
  const library = () => ({ one: testbed.iso(isos.both), other: testbed.iso(isos.bios) });
  const start = async () => {
    await daemon.start();
    up = true;
  };

  const strike = async (how: (typeof strikes)[number]): Promise<void> => {
    if (how === "stopped for a while") {
      process.kill(daemon.pid, "SIGSTOP");
      await sleep(STOPPED_MS);
      process.kill(daemon.pid, "SIGCONT");
      return;
    }
    up = false;
    await daemon.kill();
    if (how === "killed and started again") await start();
  };

  beforeAll(async () => {
    daemon = await startDaemon({ system: true, lasting: true });
    sockets = await mkdtemp("/tmp/bw-");
    const path = join(sockets, "s");
    proxy = await openProxy(
      path,
      async () => {
        if (++calls !== struck?.at) return;
        const { how } = struck;
        striking = sleep(1).then(() => strike(how));
        // Half of the time the daemon has the call, and half of the time it is gone before.
        if (calls % 2 === 0) await striking;
      },
      daemon.socketPath,
    );
    testbed = await openTestbed({
      isos: [isos.both, isos.bios],
      uri: uri(daemon.socketPath),
      settings: ["--connection", `local=${plugin},uri=${uri(path)}`],
    });
  });
  afterAll(async () => {
    if (!up) await start();
    await testbed?.close();
    await proxy?.close();
    await daemon?.stop();
    await rm(sockets, { recursive: true, force: true });
  });

  test(
    "leaves every operation applied, refused or unknown until a look settles it",
    async () => {
      console.log(`seed ${SEED}: BOOTWRIGHT_SEED=${SEED} makes the same choice of moments`);
      const names = Object.keys(operations);
      const picks = fc.sample(fc.noBias(fc.tuple(fc.nat(), fc.nat(), fc.nat())), { numRuns: 1_000, seed: SEED });
      const outcomes = new Map<string, number>();
      const wrong: string[] = [];
      let slowestMs = 0;
      const amount = scaled(names.length * 6, 3);
      for (const [index, [one, moment, way]] of picks.slice(0, amount).entries()) {
        const what = names[amount > names.length ? index % names.length : one % names.length]!;
        const how = strikes[way % strikes.length]!;
        const ready = await operations[what]!({ testbed, isos: library(), word: `${index}` });
        [calls, struck] = [0, { at: 1 + (moment % 30), how }];
        const began = performance.now();
        let refused: Refused["refusal"] | undefined;
        const answer = (await ready.call().catch((error: unknown) => {
          if (!(error instanceof Refused)) throw error;
          refused = error.refusal;
        })) as { uuid?: string } | undefined;
        slowestMs = Math.max(slowestMs, performance.now() - began);
        const at = Math.min(calls, struck.at);
        struck = undefined;
        await striking;
        if (!up) await start();
        const outcome = String(refused ? (refused.outcome?.status ?? refused.code) : "applied");
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        const operation = (refused?.outcome?.operation ?? refused?.details.operation) as string | undefined;
        const uuid =
          ready.uuid ??
          answer?.uuid ??
          (operation && (await testbed.call("get_operation", { operation })).vm) ??
          undefined;
        const problems = refused && refused.code === undefined ? ["was a defect"] : [];
        if (uuid !== undefined) problems.push(...(await settles(uuid)));
        if (problems.length)
          wrong.push(`${what}, daemon ${how} at call ${at}, answered ${outcome}: ${problems.join("; ")}`);
      }
      figure("backend outage: daemons struck", amount);
      for (const [outcome, times] of [...outcomes].sort()) figure(`backend outage: struck, ended ${outcome}`, times);
      figure("backend outage: struck, slowest answer, ms", Math.round(slowestMs));
      expect(wrong).toEqual([]);
      expect(slowestMs).toBeLessThan(LIMIT_MS);
    },
    scaled(3600_000, 300_000),
  );

  async function settles(uuid: string): Promise<string[]> {
    const libvirt = openLibvirt({ uri: uri(daemon.socketPath) });
    try {
      return [...(await nextOperation(testbed, uuid)), ...(await disagreements(libvirt, testbed.directory, uuid))];
    } finally {
      await libvirt.close();
      await testbed.call("delete_vm", { vm: uuid, force: true }).catch(() => undefined);
    }
  }

  test("keeps no tool from answering from the record within seconds while it hangs", async () => {
    const { uuid, name } = await testbed.create("read", { iso_path: library().one });
    process.kill(daemon.pid, "SIGSTOP");
    try {
      const began = performance.now();
      const [listed, seen, named, order, status, disk, library_, history, check] = await Promise.all([
        testbed.call("list_vms"),
        testbed.call("get_vm", { vm: uuid }),
        testbed.call("get_vm", { vm: name }),
        testbed.call("get_boot_order", { vm: uuid }),
        testbed.call("get_installation_status", { vm: uuid }),
        testbed.call("get_disk_info", { vm: uuid }),
        testbed.call("list_isos"),
        testbed.call("list_operations", { vm: uuid }),
        testbed.server.refusal("check_boot", { vm: uuid }),
      ]);
      const tookMs = performance.now() - began;
      figure("backend outage: reading while the daemon hangs, slowest answer, ms", Math.round(tookMs));
      expect(tookMs).toBeLessThan(READ_LIMIT_MS);
      expect(listed.vms.find((vm) => vm.uuid === uuid)).toMatchObject({ stale: true, boot_order: "cdrom_hd" });
      expect(listed.unreachable).toHaveLength(1);
      for (const one of [seen, named, order, status, disk]) expect(one).toMatchObject({ stale: true });
      expect(disk).toMatchObject({ state: "ok", content: "blank" });
      expect(library_.isos.find(({ path }) => path === library().one)?.used_by).toContain(name);
      expect(history.operations).toHaveLength(1);
      expect(check?.code).toBe("BACKEND_UNAVAILABLE");
    } finally {
      process.kill(daemon.pid, "SIGCONT");
    }
    await expect
      .poll(async () => (await testbed.call("get_vm", { vm: uuid })).stale, { timeout: 60_000 })
      .toBeUndefined();
    await testbed.call("delete_vm", { vm: uuid });
  });
});
