/** One handler for each change. The domain has decided whether the change is allowed; a handler checks what only the
 * hypervisor knows at the moment of the write. */
import {
  type BackendDefinition,
  DomainError,
  definitionFor,
  diskOf,
  driveOf,
  normaliseDefinition,
  type VmDefinition,
  withMedium,
} from "../../src/plugin.ts";
import { powerOff, shutDown, startMachine } from "./guest.ts";
import { fileAt, fileOf, growFile, imagesOf, walk } from "./images.ts";
import type { Machine, Session } from "./machine.ts";
import { bringUpToDate, machineFor } from "./observe.ts";

export const changes: BackendDefinition<Session>["changes"] = {
  "vm.create": {
    running: "now",
    async apply(session, _vm, { spec }, { signal }) {
      bringUpToDate(session, signal);
      const { uuid, name, claim } = spec;
      const taken = [...session.machines.values()].find((other) => other.name === name || other.uuid === uuid);
      if (taken?.uuid === uuid && taken.claim?.uuid === uuid) return;
      if (taken) throw new DomainError("VM_EXISTS", { name, connection: session.connection, uuid: taken.uuid });
      session.machines.set(uuid, {
        uuid,
        name,
        persistent: true,
        next: normaliseDefinition(definitionFor(spec)),
        claim,
        guest: session.guest,
      });
    },
  },
  "vm.delete": {
    running: "refused",
    async apply(session, vm, _change, context) {
      const machine = machineFor(session, vm, context);
      if (machine.run) throw new DomainError("VM_MUST_BE_OFF", { vm: machine.name, change: "vm.delete" });
      session.machines.delete(machine.uuid);
    },
  },
  "vm.rename": {
    running: "refused",
    async apply(session, vm, { name }, context) {
      const machine = machineFor(session, vm, context);
      if (machine.run) throw new DomainError("VM_MUST_BE_OFF", { vm: machine.name, change: "vm.rename" });
      const taken = [...session.machines.values()].find((other) => other.name === name && other !== machine);
      if (taken) throw new DomainError("VM_EXISTS", { name, connection: session.connection, uuid: taken.uuid });
      machine.name = name;
    },
  },
  "power.start": {
    running: "now",
    async apply(session, vm, { purpose }, context) {
      const machine = machineFor(session, vm, context);
      if (machine.paused !== undefined)
        throw new DomainError("VM_PAUSED", { vm: machine.name, reason: machine.paused });
      if (!machine.run) startMachine(session, machine, purpose);
    },
  },
  "power.stop": {
    running: "now",
    async apply(session, vm, { force, timeoutMs }, context) {
      const machine = machineFor(session, vm, context);
      if (!machine.run) return;
      if (force) return powerOff(session, machine, "power_cut");
      if (machine.paused !== undefined)
        throw new DomainError("VM_PAUSED", { vm: machine.name, reason: machine.paused });
      context.progress(`waiting for the guest to shut down, up to ${Math.round(timeoutMs / 1000)} s`);
      await shutDown(session, machine, timeoutMs, AbortSignal.any([context.signal, session.signal]));
    },
  },
  "reboot_action.set": {
    running: "now",
    async apply(session, vm, { endsRun }, context) {
      const { run } = machineFor(session, vm, context);
      if (!run) throw new Error("domain is not running");
      const { resetEndsRun: _old, ...live } = run.live;
      run.live = endsRun ? { ...live, resetEndsRun: true } : live;
    },
  },
  "saved_state.discard": {
    running: "now",
    async apply(session, vm, _change, context) {
      delete machineFor(session, vm, context).saved;
    },
  },
  "boot_order.set": {
    running: "next_start",
    async apply(session, vm, { boot }, context) {
      const machine = machineFor(session, vm, context);
      machine.next = normaliseDefinition({ ...machine.next, boot });
    },
  },
  "media.set": {
    running: "now",
    async apply(session, vm, { drive, next, live, force }, context) {
      const machine = machineFor(session, vm, context);
      if (!driveOf(machine.next, drive)) throw new Error(`No disk found whose source path or target is ${drive}`);
      // The live half goes first and may be refused: then the next definition stays as it is, too.
      const changed = machine.run && withLiveMedium(session, machine, drive, live, force);
      if (machine.run && changed) {
        machine.run.live = changed;
        machine.run.locked.delete(drive);
      }
      machine.next = withMedium(machine.next, drive, next);
    },
  },
  "drive.add": {
    running: "next_start",
    async apply(session, vm, { target, bus }, context) {
      const machine = machineFor(session, vm, context);
      if (driveOf(machine.next, target)) return;
      machine.next = normaliseDefinition({
        ...machine.next,
        drives: [...machine.next.drives, { target, bus, tray: "closed" }],
      });
    },
  },
  "drive.remove": {
    running: "next_start",
    async apply(session, vm, { target }, context) {
      const machine = machineFor(session, vm, context);
      const drives = machine.next.drives.filter((drive) => drive.target !== target);
      // A device takes its own boot number with it.
      const entries = machine.next.boot.entries.filter(({ device }) => device !== `cdrom:${target}`);
      machine.next = normaliseDefinition({ ...machine.next, drives, boot: { ...machine.next.boot, entries } });
    },
  },
  "claim.write": {
    running: "now",
    async apply(session, vm, { tag }, context) {
      const machine = machineFor(session, vm, context);
      if (tag) machine.claim = tag;
      else delete machine.claim;
    },
  },
  "disk.create": {
    running: "now",
    async apply(session, vm, { path, sizeBytes }, context) {
      if (vm) machineFor(session, vm, context);
      else bringUpToDate(session, context.signal);
      await imagesOf(session).createDisk(path, sizeBytes, context.signal);
    },
  },
  "disk.delete": {
    running: "refused",
    async apply(session, vm, { path }, context) {
      if (vm) machineFor(session, vm, context);
      else bringUpToDate(session, context.signal);
      await imagesOf(session).remove(path);
    },
  },
  "disk.resize": {
    running: "now",
    async apply(session, vm, { disk, path, sizeBytes }, context) {
      const machine = machineFor(session, vm, context);
      const device = diskOf(machine.run?.live ?? machine.next, disk);
      const refuse = (reason: string) => new DomainError("DISK_NOT_GROWABLE", { vm: machine.name, disk, reason });
      if (device?.path !== path) throw refuse(`its image is ${device?.path ?? "gone"}`);
      if (device.readOnly) throw refuse("it is read-only");
      const { missing, refused } = walk(session, path);
      const file = fileOf(session, "disk", path);
      if (!file || missing !== undefined || refused !== undefined)
        throw refuse(refused ?? `"${missing ?? path}" is missing`);
      // A live resize shrinks without a word, so the size is looked at here, right before the write.
      if (sizeBytes < file.virtualBytes) {
        throw new DomainError("SHRINK_REFUSED", {
          vm: machine.name,
          currentBytes: file.virtualBytes,
          requestedBytes: sizeBytes,
        });
      }
      if (machine.run) growFile(session, path, sizeBytes);
      else await imagesOf(session).growDisk(path, sizeBytes, context.signal);
    },
  },
};

/** The live definition with another medium; absent when nothing has to be done to the running VM.
 * @throws DomainError TRAY_LOCKED; Error in a hypervisor's words when the file is missing */
function withLiveMedium(
  session: Session,
  { name, run }: Machine,
  drive: string,
  path: string | undefined,
  force: boolean,
): VmDefinition | undefined {
  const device = run && driveOf(run.live, drive);
  if (!device || (device.path === path && device.tray === "closed")) return undefined;
  if (path !== undefined && !fileAt(session, path))
    throw new Error(`Cannot access storage file '${path}': No such file or directory`);
  if (run.locked.has(drive) && !force) throw new DomainError("TRAY_LOCKED", { vm: name, drive });
  return withMedium(run.live, drive, path);
}
