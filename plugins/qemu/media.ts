/** CD-ROM drives and what is in them. */
import { setTimeout as sleep } from "node:timers/promises";
import { type BackendDefinition, DomainError, type Vm } from "../../src/plugin.ts";
import { changed, type Definition } from "./definition.ts";
import { edit } from "./definitions.ts";
import { type Block, deviceOf, queryBlock } from "./observe.ts";
import { NotListening, type Qmp, QmpRefused } from "./qmp/client.ts";
import type { QemuSession } from "./session.ts";

/** A guest needs a moment to release the tray after an eject request. */
const TRAY_WAIT_MS = 5_000;
const TRAY_POLL_MS = 100;
/** Longer than a read that is under way takes. */
const READ_MS = 100;

export const mediaHandlers: BackendDefinition<QemuSession>["changes"] = {
  "media.set": {
    running: "now",
    apply: (session, vm, { drive, next, live, force }, context) =>
      edit(session, vm!, context, async (definition) => {
        const edited = withMedium(definition, drive, next);
        // The live part goes first: only it can be refused by the guest, and then nothing has changed.
        await setLive(session, vm!, { drive, live, force }, context.signal);
        return edited;
      }),
  },
  "drive.add": {
    running: "next_start",
    apply: (session, vm, { target, bus }, context) =>
      edit(session, vm!, context, (definition) => {
        if (definition.drives.some((drive) => drive.target === target)) return definition;
        if (bus === "ide") throw new Error("IDE controllers are unsupported for this machine type");
        return changed(definition, { drives: [...definition.drives, { target, bus }] });
      }),
  },
  "drive.remove": {
    running: "next_start",
    apply: (session, vm, { target }, context) =>
      edit(session, vm!, context, (definition) => {
        // A device takes its own boot number with it.
        const entries = definition.boot.entries.filter(({ device }) => device !== `cdrom:${target}`);
        const drives = definition.drives.filter((drive) => drive.target !== target);
        return changed(definition, { drives, boot: { ...definition.boot, entries } });
      }),
  },
};

/** @throws Error when there is no such drive */
function withMedium(definition: Definition, target: string, path: string | undefined): Definition {
  if (!definition.drives.some((drive) => drive.target === target))
    throw new Error(`no CD-ROM drive ${target} in the definition`);
  const drives = definition.drives.map(({ path: old, ...drive }) => {
    const now = drive.target === target ? path : old;
    return { ...drive, ...(now !== undefined && { path: now }) };
  });
  return changed(definition, { drives });
}

type LiveMedium = Readonly<{ drive: string; live: string | undefined; force: boolean }>;

/** Changes the live medium; does nothing if the VM is off, or has no such drive yet.
 * @throws DomainError TRAY_LOCKED; QmpRefused */
async function setLive(session: QemuSession, vm: Vm, medium: LiveMedium, signal: AbortSignal): Promise<void> {
  const { drive, live, force } = medium;
  try {
    await session.withQmp(vm.uuid, { signal }, async (qmp) => {
      const held = await blockOf(qmp, drive, signal);
      if (!held || (held.inserted?.file === live && !held.tray_open)) return;
      try {
        if (held.inserted) await comeToRest(qmp, medium, signal);
        await exchange(qmp, medium, signal);
      } catch (error) {
        if (!(error instanceof QmpRefused) || force || !(await blockOf(qmp, drive, signal))?.locked) throw error;
        // The first try sent the guest an eject request, which it may have followed by now.
        if (!(await letsGo(qmp, drive, signal)))
          throw new DomainError("TRAY_LOCKED", { vm: vm.name, drive }, { cause: error });
        await exchange(qmp, { drive, live, force }, signal);
      }
    });
  } catch (error) {
    if (!(error instanceof NotListening)) throw error;
  }
}

/** Opens the tray and waits until the guest's last read has ended. QEMU 7.2 was observed to hang for good when a medium
 * was removed while OVMF read it: the two wait for each other. For a locked tray this is only a request to the guest,
 * and no error. */
async function comeToRest(qmp: Qmp, { drive, force }: LiveMedium, signal: AbortSignal): Promise<void> {
  await qmp.execute("blockdev-open-tray", { id: drive, force }, signal);
  await sleep(READ_MS, undefined, { signal });
}

async function exchange(qmp: Qmp, { drive, live, force }: LiveMedium, signal: AbortSignal): Promise<void> {
  if (live !== undefined) {
    const medium = { filename: live, format: "raw", "read-only-mode": "read-only" };
    try {
      await qmp.execute("blockdev-change-medium", { id: drive, ...medium, force }, signal);
    } catch (error) {
      // A medium that cannot be opened leaves the old one in.
      await qmp.execute("blockdev-close-tray", { id: drive }).catch(() => undefined);
      throw error;
    }
    return;
  }
  await qmp.execute("eject", { id: drive, force }, signal);
  // An empty drive with its tray in, as it is after a cold start.
  await qmp.execute("blockdev-close-tray", { id: drive }, signal);
}

const blockOf = async (qmp: Qmp, drive: string, signal: AbortSignal): Promise<Block | undefined> =>
  (await queryBlock(qmp, signal)).find(({ qdev }) => deviceOf(qdev) === drive);

async function letsGo(qmp: Qmp, drive: string, signal: AbortSignal): Promise<boolean> {
  for (const until = Date.now() + TRAY_WAIT_MS; Date.now() < until; ) {
    await sleep(TRAY_POLL_MS, undefined, { signal });
    const block = await blockOf(qmp, drive, signal);
    if (!block?.locked || block.tray_open) return true;
  }
  return false;
}
