/** Disk images, as facts, and the arithmetic of their sizes. */
import { z } from "zod";
import { defineChange, vmOf } from "./change.ts";
import { DomainError } from "../error.ts";

export const GIB = 1024 ** 3;
export const DISK_GIB_MAX = 65_536;

export const SizeGb = z.number().min(1).max(DISK_GIB_MAX).multipleOf(0.5).describe("Size in GiB (1 GiB = 2^30 bytes)");
export const bytesOf = (sizeGb: number): number => Math.round(sizeGb * GIB);
export const gibOf = (bytes: number): number => Math.round((bytes / GIB) * 100) / 100;

export type DiskFact = Readonly<{
  path: string;
  state: "ok" | "missing" | "unreadable" | "not_a_file";
  format?: string;
  virtualBytes?: number;
  actualBytes?: number;
  /** `unknown` where the content cannot be read. */
  content: "blank" | "data" | "unknown";
  /** A boot sector with the 55AA signature and code in it. */
  bootsBios?: boolean;
  /** An EFI system partition, in a GPT or an MBR; `undefined` when it cannot be told. */
  bootsUefi?: boolean;
  /** qemu-img check found errors, or the image is marked corrupt. */
  corrupt?: boolean;
  /** From the image itself to its last backing file. */
  chain: readonly string[];
  /** A backing or data file that is named by the image and is not there. */
  backingMissing?: string;
  /** Why the image must not be opened: it names a file outside the connection's directories, or makes no sense. */
  refused?: string;
  identity?: string;
}>;

export const diskChanges = {
  "disk.create": defineChange({
    input: z.object({ path: z.string(), sizeBytes: z.number().int().positive() }),
    appliedBy: "backend",
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
  /** Removes a file that Bootwright made. There is no way back from here. */
  "disk.delete": defineChange({
    input: z.object({ path: z.string() }),
    appliedBy: "backend",
    goal(state, { path }) {
      const gone: DiskFact = { path, state: "missing", content: "unknown", chain: [] };
      return { ...state, disks: { ...state.disks, [path]: gone } };
    },
    reached: (now, _goal, { path }) => now.disks[path]?.state === "missing",
    undo: () => "pivot",
    loses: (state, { path }) => (state.disks[path]?.state === "missing" ? [] : [`the file ${path}`]),
    summary: ({ path }) => `remove the file ${path}`,
  }),
  /** Grows a disk. Never undone: undoing it would be shrinking. */
  "disk.resize": defineChange({
    input: z.object({ disk: z.string(), path: z.string(), sizeBytes: z.number().int().positive() }),
    appliedBy: "backend",
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
        const reason = `the definition says ${format} and the image is ${fact.format}`;
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
