/** Changes of the media in CD-ROM drives, and of the drives themselves. */
import { z } from "zod";
import { DomainError } from "../error.ts";
import { rolesFor } from "../model/roles.ts";
import type { State } from "../model/state.ts";
import { driveOf, type VmDefinition, withMedium } from "../model/vm.ts";
import { defineChange, type UndoLater, vmOf } from "./change.ts";

const Path = z.string().min(1).max(4096);

type SetMedium = Readonly<{
  drive: string;
  next?: string | undefined;
  live?: string | undefined;
  force: boolean;
  identity?: string | undefined;
}>;

const undoMediumLater: UndoLater<SetMedium> = {
  /** A run that began after the operation took its medium from the next definition, so the undo of the next definition
   * applies to that run, too. */
  inRun(made, { vm }) {
    const { change, before } = made;
    if (!before.vm || !vm?.live || vm.run === before.vm.run) return made;
    const { live: _then, ...rest } = change;
    const { next } = before.vm;
    return {
      ...made,
      change: { ...rest, ...(rest.next !== undefined && { live: rest.next }) },
      before: { ...before, vm: { ...before.vm, ...(vm.run !== undefined && { run: vm.run }), live: next } },
    };
  },
  isos: ({ change, before: { vm } }) =>
    [vm?.next, vm?.live].flatMap((definition) => (definition && driveOf(definition, change.drive)?.path) ?? []),
};

export const mediaChanges = {
  /** Sets what is in a CD-ROM drive: `next` for the next cold start, `live` for the running VM. Absent means empty. */
  "media.set": defineChange({
    input: z.object({
      drive: z.string(),
      next: Path.optional(),
      live: Path.optional(),
      force: z.boolean().default(false),
      /** The ISO's identity, to notice later that the file was replaced. */
      identity: z.string().optional(),
    }),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "all", record: true }),
    takesDefinition: false,
    removesVm: false,
    explains: ({ drive }) => ({ drives: [drive] }),
    undoLater: undoMediumLater,
    again: ({ live: _noneRuns, ...change }) => change,
    // Detaching is never blocked.
    gate: ({ next }) => (next === undefined ? undefined : "attach"),
    goal(state, { drive, next, live }) {
      const vm = vmOf(state);
      return {
        ...state,
        vm: {
          ...vm,
          next: withMedium(vm.next, drive, next),
          ...(vm.live && { live: withMedium(vm.live, drive, live) }),
        },
      };
    },
    /** A run that began since took its medium from the next definition of that time, so its drives prove nothing. */
    reached: (now, _goal, { drive, next, live }, before) =>
      now.vm !== undefined &&
      driveOf(now.vm.next, drive) !== undefined &&
      driveOf(now.vm.next, drive)?.path === next &&
      (now.vm.live === undefined || now.vm.run !== before.vm?.run || holds(now.vm.live, drive, live)),
    isHalf: (now, goal, { drive }, before) =>
      (["next", "live"] as const).every((which) => {
        if (which === "live" && now.vm?.run !== before.vm?.run) return true;
        const is = now.vm?.[which] && driveOf(now.vm[which], drive)?.path;
        return [before, goal].some(({ vm }) => is === (vm?.[which] && driveOf(vm[which], drive)?.path));
      }),
    /** A replaced file is another ISO at the same path. */
    recorded: (record, { drive, identity }) =>
      record?.isoIdentity === undefined ||
      identity === undefined ||
      drive !== record.roles.isoDrive ||
      record.isoIdentity === identity,
    undo(before, { drive }) {
      const vm = vmOf(before);
      const next = driveOf(vm.next, drive)?.path;
      const live = vm.live && driveOf(vm.live, drive)?.path;
      const known = next && drive === before.record?.roles.isoDrive ? before.record.isoIdentity : undefined;
      const back = { ...(next && { next }), ...(live && { live }), ...(known && { identity: known }) };
      return [{ kind: "media.set", drive, force: false, ...back }];
    },
    record(record, now, { drive, next, identity }) {
      if (!record) return null;
      if (drive !== record.roles.isoDrive) return record;
      const { isoIdentity: _old, ...rest } = record;
      const known = identity ?? (next ? now.isos[next]?.identity : undefined);
      return { ...rest, ...(next && known && { isoIdentity: known }) };
    },
    events(before, _after, { drive, next }) {
      const was = driveOf(vmOf(before).next, drive)?.path ?? (before.vm?.live && driveOf(before.vm.live, drive)?.path);
      if (next) return [{ type: "media.attached", data: { drive, path: next, ...(was && { replaced: was }) } }];
      return [{ type: "media.detached", data: { drive, ...(was && { path: was }) } }];
    },
    summary: ({ drive, next }) => (next ? `put ${next} into CD-ROM drive ${drive}` : `empty CD-ROM drive ${drive}`),
    limitMs: () => 90_000,
  }),
  /** Adds an empty CD-ROM drive for the next cold start: SATA and IDE drives cannot be added to a running VM. */
  "drive.add": defineChange({
    input: z.object({ target: z.string(), bus: z.enum(["sata", "ide", "scsi"]) }),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: {},
    again: (change) => change,
    goal(state, { target, bus }) {
      const vm = vmOf(state);
      return {
        ...state,
        vm: { ...vm, next: { ...vm.next, drives: [...vm.next.drives, { target, bus, tray: "closed" as const }] } },
      };
    },
    reached: (now, _goal, { target }) => now.vm !== undefined && driveOf(now.vm.next, target) !== undefined,
    undo: (_before, { target }) => [{ kind: "drive.remove", target }],
    record: (record, _now, { target }) => (record ? { ...record, roles: { ...record.roles, isoDrive: target } } : null),
    summary: ({ target, bus }) => `add an empty ${bus} CD-ROM drive ${target} for the next start`,
  }),
  "drive.remove": defineChange({
    input: z.object({ target: z.string() }),
    appliedBy: "backend",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: (change) => change,
    goal(state, { target }) {
      const vm = vmOf(state);
      return {
        ...state,
        vm: { ...vm, next: { ...vm.next, drives: vm.next.drives.filter((d) => d.target !== target) } },
      };
    },
    reached: (now, _goal, { target }) => now.vm !== undefined && driveOf(now.vm.next, target) === undefined,
    undo: () => "kept",
    record: (record) => record ?? null,
    summary: ({ target }) => `remove CD-ROM drive ${target} from the next start`,
  }),
};

/** Whether a running VM's drive holds this ISO (undefined: is empty). An open tray is unreadable but not empty: it
 * still names its ISO and closes at the guest's next reset. */
const holds = (definition: VmDefinition, target: string, path: string | undefined): boolean => {
  const drive = driveOf(definition, target);
  return drive?.path === path && (path === undefined || drive?.tray === "closed");
};

/** The change that puts an ISO into a drive, or empties it, now and for the next start. Default drive: the ISO drive.
 * @throws DomainError DRIVE_NOT_FOUND */
export function mediaChange(state: State, drive: string | undefined, path: string | undefined, force = false) {
  const vm = vmOf(state);
  const target = drive ?? rolesFor(state).isoDrive;
  const known = vm.next.drives.map((d) => d.target);
  if (target === undefined || !known.includes(target)) {
    throw new DomainError("DRIVE_NOT_FOUND", { vm: vm.name, drive: target ?? "cdrom", known });
  }
  const identity = path === undefined ? undefined : state.isos[path]?.identity;
  const liveHasDrive = vm.live !== undefined && driveOf(vm.live, target) !== undefined;
  return {
    kind: "media.set" as const,
    drive: target,
    force,
    ...(path !== undefined && { next: path, ...(liveHasDrive && { live: path }) }),
    ...(identity !== undefined && { identity }),
  };
}
