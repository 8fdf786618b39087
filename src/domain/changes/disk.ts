/** Disk images, as facts, and the arithmetic of their sizes. */
import { z } from "zod";
import { DomainError } from "../error.ts";
import type { DiskFact } from "../model/image-fact.ts";
import { gibOf } from "../model/size.ts";
import { defineChange, vmOf } from "./change.ts";

export const diskChanges = {
  "disk.create": defineChange({
    input: z.object({ path: z.string(), sizeBytes: z.number().int().positive() }),
    appliedBy: "backend",
    writes: "storage",
    run: "keeps",
    observes: ({ path }) => ({ vm: "next", record: true, disks: [path] }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal(state, { path, sizeBytes }) {
      if (state.disks[path]?.state !== "missing") throw new DomainError("DISK_EXISTS", { path });
      const made: DiskFact = {
        path,
        state: "ok",
        format: "qcow2",
        virtualBytes: sizeBytes,
        content: "blank",
        chain: [path],
      };
      return { ...state, disks: { ...state.disks, [path]: made } };
    },
    reached: (now, _goal, { path, sizeBytes }) =>
      now.disks[path]?.state === "ok" && now.disks[path].virtualBytes === sizeBytes,
    undo: (_before, { path }) => [{ kind: "disk.delete", path }],
    artifacts: ({ path }) => [path],
    cancellable: true,
    summary: ({ path, sizeBytes }) => `create a ${gibOf(sizeBytes)} GiB qcow2 disk ${path}`,
  }),
  /** Removes a file that Bootwright made. It cannot be undone. */
  "disk.delete": defineChange({
    input: z.object({ path: z.string() }),
    appliedBy: "backend",
    writes: "storage",
    run: "keeps",
    observes: ({ path }) => ({ vm: "next", disks: [path] }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal(state, { path }) {
      const gone: DiskFact = { path, state: "missing", content: "unknown", chain: [] };
      return { ...state, disks: { ...state.disks, [path]: gone } };
    },
    reached: (now, _goal, { path }) => now.disks[path]?.state === "missing",
    undo: () => "pivot",
    loses: (state, { path }) => (state.disks[path]?.state === "missing" ? [] : [`the file ${path}`]),
    summary: ({ path }) => `remove the file ${path}`,
  }),
  /** Grows a disk. It is never undone: that would be shrinking. */
  "disk.resize": defineChange({
    input: z.object({ disk: z.string(), path: z.string(), sizeBytes: z.number().int().positive() }),
    appliedBy: "backend",
    writes: "storage",
    run: "keeps",
    observes: ({ path }) => ({ vm: "next", disks: [path] }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    gate: "resize",
    goal(state, { disk, path, sizeBytes }) {
      const vm = vmOf(state);
      const fact = state.disks[path];
      if (fact?.state !== "ok" || fact.virtualBytes === undefined) {
        throw new DomainError("DISK_NOT_GROWABLE", {
          vm: vm.name,
          disk,
          reason: `its image is ${fact?.state ?? "not a file"}`,
        });
      }
      const format = vm.next.disks.find(({ target }) => target === disk)?.format;
      if (format !== undefined && fact.format !== undefined && format !== fact.format) {
        const reason = `its definition says ${format}, and the image is ${fact.format}`;
        throw new DomainError("DISK_NOT_GROWABLE", { vm: vm.name, disk, reason });
      }
      if (sizeBytes < fact.virtualBytes) {
        throw new DomainError("SHRINK_REFUSED", {
          vm: vm.name,
          currentBytes: fact.virtualBytes,
          requestedBytes: sizeBytes,
        });
      }
      return { ...state, disks: { ...state.disks, [path]: { ...fact, virtualBytes: sizeBytes } } };
    },
    reached: (now, _goal, { path, sizeBytes }) => (now.disks[path]?.virtualBytes ?? 0) >= sizeBytes,
    undo: () => "kept",
    events: (before, _after, { disk, path, sizeBytes }) => [
      { type: "disk.resized", data: { disk, path, from_bytes: before.disks[path]?.virtualBytes, to_bytes: sizeBytes } },
    ],
    summary: ({ disk, sizeBytes }) => `grow disk ${disk} to ${gibOf(sizeBytes)} GiB`,
  }),
};
