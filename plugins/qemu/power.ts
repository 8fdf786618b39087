/** Starting and stopping. */
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApplyContext, type BackendDefinition, DomainError, type Vm } from "../../src/plugin.ts";
import { requireUnchanged } from "./definitions.ts";
import { writeWhole } from "./file.ts";
import { withLock } from "./lock.ts";
import { endProcess, isOn, startProcess } from "./process.ts";
import { NotListening } from "./qmp/client.ts";
import type { QemuSession } from "./session.ts";

const STATE_POLL_MS = 200;
/** The interval of repeated requests, for a guest that was still starting at the first one. */
const ASK_AGAIN_MS = 15_000;

export const powerHandlers: BackendDefinition<QemuSession>["changes"] = {
  "power.start": {
    running: "now",
    apply: (session, vm, _change, context) =>
      // Two processes that start one VM at once would remove each other's sockets.
      withLock(session.directory, vm!.uuid, context.signal, async () => {
        const definition = await requireUnchanged(session, vm!, context);
        if (!(await isOn(session, vm!.uuid))) await startProcess(session, definition);
      }),
  },
  "power.stop": {
    running: "now",
    async apply(session, vm, { force, timeoutMs }, context) {
      await requireUnchanged(session, vm!, context);
      if (!(await isOn(session, vm!.uuid))) return;
      if (force) await withLock(session.directory, vm!.uuid, context.signal, () => endProcess(session, vm!.uuid));
      else await shutDown(session, vm!, timeoutMs, context);
    },
  },
  "reboot_action.set": {
    running: "now",
    apply: (session, vm, { endsRun }, context) =>
      withLock(session.directory, vm!.uuid, context.signal, async () => {
        await requireUnchanged(session, vm!, context);
        if (!(await isOn(session, vm!.uuid))) throw new Error("the VM is not running");
        const { resetEnds } = session.pathsOf(vm!.uuid);
        await session.withQmp(vm!.uuid, { signal: context.signal }, (qmp) =>
          qmp.execute("set-action", { reboot: endsRun ? "shutdown" : "reset" }, context.signal),
        );
        // QEMU does not report this setting, so it is set again unless it is recorded.
        if (endsRun) await writeWhole(resetEnds, "");
        else await rm(resetEnds, { force: true });
      }),
  },
};

/** Shuts down and waits: QEMU's answer only means that the button was pressed.
 * @throws DomainError SHUTDOWN_TIMED_OUT, VM_PAUSED */
async function shutDown(
  session: QemuSession,
  { uuid, name }: Vm,
  timeoutMs: number,
  { signal, progress }: ApplyContext,
): Promise<void> {
  const began = Date.now();
  let askedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    if (!(await isOn(session, uuid))) return;
    const waited = Date.now() - began;
    if (waited >= timeoutMs) throw new DomainError("SHUTDOWN_TIMED_OUT", { vm: name, waitedMs: waited });
    if (waited - askedAt >= ASK_AGAIN_MS) {
      await pressButton(session, uuid, name, signal);
      askedAt = waited;
      progress(`asked the guest to shut down; waiting up to ${Math.round((timeoutMs - waited) / 1000)} s`);
    }
    await sleep(Math.min(STATE_POLL_MS, timeoutMs), undefined, { signal });
  }
}

async function pressButton(session: QemuSession, uuid: string, name: string, signal: AbortSignal): Promise<void> {
  try {
    await session.withQmp(uuid, { signal }, async (qmp) => {
      const { status } = await qmp.execute<{ status: string }>("query-status", undefined, signal);
      if (status !== "running") throw new DomainError("VM_PAUSED", { vm: name, reason: status });
      await qmp.execute("system_powerdown", undefined, signal);
    });
  } catch (error) {
    // The VM ended by itself meanwhile.
    if (!(error instanceof NotListening)) throw error;
  }
}
