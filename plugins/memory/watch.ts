/** Events of VMs, and the answers of a guest's agent. */
import type { BackendDefinition, GuestInfo, Hint } from "../../src/plugin.ts";
import { advance, nextDueOf } from "./guest.ts";
import { nowOf, powerOf, type Session } from "./machine.ts";
import { notify } from "./notify.ts";
import { bringUpToDate } from "./observe.ts";

/** Reports hints until the signal ends. A guest acts at its own time, so a timer brings the guests up to date
 * meanwhile. */
export async function watchVms(session: Session, notify: (hint: Hint) => void, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  bringUpToDate(session, signal);
  const ends = AbortSignal.any([signal, session.signal]);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    clearTimeout(timer);
    const due = nextDueOf(session);
    if (due !== undefined) timer = setTimeout(pass, Math.max(0, due - nowOf(session)));
    timer?.unref();
  };
  const pass = () => {
    advance(session);
    wait();
  };
  const watcher = (hint: Hint) => {
    notify(hint);
    wait();
  };
  session.watchers.add(watcher);
  ends.addEventListener("abort", () => resolve(), { once: true });
  watcher({});
  await ended;
  session.watchers.delete(watcher);
  clearTimeout(timer);
}

type Changes = BackendDefinition<Session>["changes"];

/** The same handlers, each of which reports its VM when it has ended, however it ends. */
export const notifying = (changes: Changes): Changes =>
  Object.fromEntries(
    Object.entries(changes as Record<string, NonNullable<Changes["vm.create"]>>).map(([kind, handler]) => [
      kind,
      {
        ...handler,
        async apply(...[session, vm, change, context]: Parameters<typeof handler.apply>) {
          const uuid = vm?.uuid ?? (change.kind === "vm.create" ? change.spec.uuid : undefined);
          try {
            await handler.apply(session, vm, change, context);
          } finally {
            if (uuid !== undefined) notify(session, uuid);
          }
        },
      },
    ]),
  );

/** The agent's answer for a system on the disk, or for a live system on a medium. */
export function guestInfo(session: Session, uuid: string): GuestInfo | undefined {
  const machine = session.machines.get(uuid);
  const { run } = machine ?? {};
  if (!machine || !run?.agent || powerOf(machine) !== "running") return undefined;
  const { what, target = run.live.disks[0]?.target } = run.booted;
  const disks = target === undefined ? [] : [target];
  const live = { osId: "memory-live", osName: "Memory Live" };
  const filesystems = [
    { mountpoint: "/", type: "overlay", disks: [] },
    { mountpoint: "/run/medium", type: "iso9660", disks },
  ];
  if (what !== "system") return { ...live, filesystems };
  return { osId: "memory", osName: "Memory OS 1", filesystems: [{ mountpoint: "/", type: "ext4", disks }] };
}
