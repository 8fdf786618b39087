/** Starting and stopping. */
import { z } from "zod";
import { DomainError } from "../error.ts";
import { bootReport } from "../model/boot-rules.ts";
import { AtReboot, Purpose } from "../model/installation.ts";
import { rolesFor } from "../model/roles.ts";
import { diskOf, type VmDefinition } from "../model/vm.ts";
import { defineChange, vmOf } from "./change.ts";

export const powerChanges = {
  "power.start": defineChange({
    input: z.object({ purpose: Purpose, at: z.string(), atReboot: AtReboot.exactOptional() }),
    appliedBy: "backend",
    writes: "power",
    run: "begins",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    gate: "start",
    goal(state) {
      const vm = vmOf(state);
      if (vm.power === "paused")
        throw new DomainError("VM_PAUSED", { vm: vm.name, reason: vm.powerReason ?? "by a user" });
      return { ...state, vm: { ...vm, power: "running", savedState: false, run: "planned", live: vm.next } };
    },
    reached: (now) => now.vm?.power === "running",
    undo: () => "kept",
    record(record, now, { purpose, at, atReboot }) {
      if (!record) return null;
      const run = now.vm?.run;
      if (run === undefined) return record;
      const { device } = bootReport(now).guestReboot.boots;
      const known = device === "cdrom" || device === "hd" ? device : "unknown";
      const path = diskOf(vmOf(now).live ?? vmOf(now).next, rolesFor(now).systemDisk)?.path;
      const diskIdentity = path === undefined ? undefined : now.disks[path]?.identity;
      return {
        ...record,
        currentRun: {
          run,
          purpose,
          startedAt: at,
          device: known,
          ...(atReboot !== undefined && { atReboot }),
          ...(diskIdentity !== undefined && { diskIdentity }),
        },
      };
    },
    events: (_before, after, { purpose }) => [
      {
        type: "vm.started",
        data: { purpose, run: after.vm?.run, boot_device: after.record?.currentRun?.device ?? "unknown" },
      },
    ],
    summary: ({ purpose }) => `start the VM (${purpose})`,
    limitMs: () => 120_000,
  }),
  "power.stop": defineChange({
    input: z.object({
      force: z.boolean().describe("Cut the power instead of asking the guest to shut down"),
      timeoutMs: z.number().int().min(0),
    }),
    appliedBy: "backend",
    writes: "power",
    run: "ends",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal(state) {
      const { run: _run, live: _live, readBytes: _read, ...vm } = vmOf(state);
      return { ...state, vm: { ...vm, power: "off" } };
    },
    reached: (now, _goal, _input, before) =>
      now.vm?.power === "off" || (now.vm !== undefined && now.vm.run !== before.vm?.run),
    undo: () => "kept",
    record(record) {
      if (!record) return null;
      const { currentRun: _over, ...rest } = record;
      return rest;
    },
    loses: (state, { force }) =>
      force && state.vm?.power !== "off"
        ? ["the running guest's memory: data that it has not written to its disk is lost"]
        : [],
    events: (before, _after, { force }) => [
      { type: "vm.stopped", data: { reason: force ? "power_cut" : "shutdown", run: before.vm?.run } },
    ],
    summary: ({ force, timeoutMs }) =>
      force ? "cut the power" : `ask the guest to shut down and wait up to ${Math.round(timeoutMs / 1000)} s`,
    cancellable: true,
    limitMs: ({ timeoutMs }) => timeoutMs + 60_000,
  }),
  /** Whether a reset by the guest ends this run, so that the VM can start again from another device. The next start
   * follows its definition. */
  "reboot_action.set": defineChange({
    input: z.object({ endsRun: z.boolean() }),
    appliedBy: "backend",
    writes: "run",
    run: "keeps",
    observes: () => ({ vm: "all" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal(state, { endsRun }) {
      const vm = vmOf(state);
      return vm.live ? { ...state, vm: { ...vm, live: withReset(vm.live, endsRun) } } : state;
    },
    reached: (now, _goal, { endsRun }) => now.vm?.live !== undefined && (now.vm.live.resetEndsRun ?? false) === endsRun,
    undo: (before) => [{ kind: "reboot_action.set", endsRun: before.vm?.live?.resetEndsRun ?? false }],
    summary: ({ endsRun }) =>
      endsRun ? "end the run when the guest reboots" : "let the guest reboot without ending the run",
  }),
  "saved_state.discard": defineChange({
    input: z.object({}),
    appliedBy: "backend",
    writes: "power",
    run: "keeps",
    observes: () => ({ vm: "next" }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal: (state) => ({ ...state, vm: { ...vmOf(state), savedState: false } }),
    reached: (now) => now.vm?.savedState === false,
    undo: () => "kept",
    loses: (state) => (state.vm?.savedState ? ["the saved state: the guest's memory at the time it was saved"] : []),
    summary: () => "discard the saved state",
  }),
};

function withReset({ resetEndsRun: _old, ...definition }: VmDefinition, endsRun: boolean): VmDefinition {
  return endsRun ? { ...definition, resetEndsRun: true } : definition;
}
