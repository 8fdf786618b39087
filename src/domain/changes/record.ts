/** The change that brings the record up to what is true. */
import { z } from "zod";
import { InstallationStatus } from "../model/installation.ts";
import { VmName } from "../model/vm.ts";
import { defineChange } from "./change.ts";

export const recordChanges = {
  /** Updates the record's facts about the VM itself. The boot order is a change of its own. */
  "record.reconcile": defineChange({
    input: z.object({
      name: VmName,
      status: InstallationStatus,
      revision: z.number().int().positive(),
      roles: z.object({ systemDisk: z.string().exactOptional(), isoDrive: z.string().exactOptional() }),
    }),
    appliedBy: "store",
    writes: "record",
    run: "keeps",
    observes: () => ({ record: true }),
    takesDefinition: true,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal: (state) => state,
    reached: ({ record }, _goal, { name, status, revision, roles }) =>
      record?.name === name &&
      record.status === status &&
      record.revision === revision &&
      record.roles.systemDisk === roles.systemDisk &&
      record.roles.isoDrive === roles.isoDrive,
    undo: () => "kept",
    record: (record, _now, { name, status, revision, roles }) =>
      record ? { ...record, name, status, revision, roles } : null,
    events: ({ record }, _after, { name, status, revision }) => [
      {
        type: "vm.reconciled",
        data: {
          from: record && { name: record.name, status: record.status, revision: record.revision },
          to: { name, status, revision },
        },
      },
    ],
    summary: ({ name, status }) => `record the name ${name} and the status ${status}`,
  }),
};
