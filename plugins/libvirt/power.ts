/** Starting and stopping. */
import { setTimeout as sleep } from "node:timers/promises";
import { type BackendDefinition, DomainError } from "../../src/plugin.ts";
import { DOMAIN_AFFECT, DOMAIN_STATE, LIFECYCLE, LIFECYCLE_ACTION } from "./client/libvirt.ts";
import {
  domainOf,
  isLibvirtError,
  type LibvirtSession,
  mapConnectionErrors,
  options,
  requireUnchanged,
} from "./session.ts";

const STATE_POLL_MS = 200;
/** The interval of repeated requests, for a guest that was still starting at the first one. */
const ASK_AGAIN_MS = 15_000;

export const powerHandlers: BackendDefinition<LibvirtSession>["changes"] = {
  "power.start": {
    running: "refused",
    async apply(session, vm, _change, context) {
      const { signal } = context;
      await mapConnectionErrors(session, async () => {
        await requireUnchanged(session, vm, context);
        const domain = await domainOf(session, vm!.uuid, signal);
        await session.libvirt.domainCreateWithFlags(domain, 0, options(signal));
      });
    },
  },
  "power.stop": {
    running: "now",
    async apply(session, vm, { force, timeoutMs }, context) {
      const { libvirt } = session;
      const { signal, progress } = context;
      await mapConnectionErrors(session, async () => {
        await requireUnchanged(session, vm, context);
        const domain = await domainOf(session, vm!.uuid, signal);
        try {
          if (force) return await libvirt.domainDestroyFlags(domain, 0, options(signal));
          await shutDown(session, { uuid: vm!.uuid, name: vm!.name, timeoutMs, progress }, signal);
        } catch (error) {
          // The domain ended by itself meanwhile.
          if (isLibvirtError(error, "operationInvalid") && !(await libvirt.domainIsActive(domain, options(signal))))
            return;
          throw error;
        }
      });
    },
  },
  "reboot_action.set": {
    running: "now",
    async apply(session, vm, { endsRun }, context) {
      const { signal } = context;
      await mapConnectionErrors(session, async () => {
        await requireUnchanged(session, vm, context);
        const domain = await domainOf(session, vm!.uuid, signal);
        // Only the running domain: the next start follows the definition.
        const action = endsRun ? LIFECYCLE_ACTION.destroy : LIFECYCLE_ACTION.restart;
        const change = { lifecycle: LIFECYCLE.reboot, action };
        await session.libvirt.domainSetLifecycleAction(domain, change, DOMAIN_AFFECT.live, options(signal));
      });
    },
  },
  "saved_state.discard": {
    running: "refused",
    async apply(session, vm, _change, context) {
      const { signal } = context;
      await mapConnectionErrors(session, async () => {
        await requireUnchanged(session, vm, context);
        const domain = await domainOf(session, vm!.uuid, signal);
        await session.libvirt.domainManagedSaveRemove(domain, 0, options(signal));
      });
    },
  },
};

type Shutdown = Readonly<{ uuid: string; name: string; timeoutMs: number; progress: (message: string) => void }>;

/** Shuts down and waits: libvirt's success only means that the guest was asked. @throws DomainError
 * SHUTDOWN_TIMED_OUT */
async function shutDown(
  session: LibvirtSession,
  { uuid, name, timeoutMs, progress }: Shutdown,
  signal: AbortSignal,
): Promise<void> {
  const { libvirt } = session;
  const domain = await domainOf(session, uuid, signal);
  const began = Date.now();
  let askedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const waited = Date.now() - began;
    const { state } = await libvirt.domainGetState(domain, 0, options(signal));
    if (state === DOMAIN_STATE.shutoff || state === DOMAIN_STATE.crashed) return;
    if (waited >= timeoutMs) throw new DomainError("SHUTDOWN_TIMED_OUT", { vm: name, waitedMs: waited });
    if (waited - askedAt >= ASK_AGAIN_MS) {
      await libvirt.domainShutdownFlags(domain, 0, options(signal));
      askedAt = waited;
      progress(`asked the guest to shut down; waiting up to ${Math.round((timeoutMs - waited) / 1000)} s`);
    }
    await sleep(Math.min(STATE_POLL_MS, timeoutMs), undefined, { signal });
  }
}
