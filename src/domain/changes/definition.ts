/** Definitions that operations kept from before them, and putting one back. */
import { z } from "zod";
import { ClaimTag, type Vm, type VmDefinition, VmName } from "../model/vm.ts";
import { defineChange } from "./change.ts";

export const definitionChanges = {
  /** Puts back the definition from before an operation, whole. It is named, not carried: it may be large, and holds the
   * passwords that are in it. */
  "definition.restore": defineChange({
    input: z.object({
      operation: z.string(),
      name: VmName,
      next: z.custom<VmDefinition>(),
      fingerprint: z.string(),
      claim: ClaimTag.exactOptional(),
    }),
    appliedBy: "kept_definition",
    writes: "definition",
    run: "keeps",
    observes: () => ({ vm: "next", record: true }),
    takesDefinition: true,
    removesVm: false,
    explains: () => ({ name: true }),
    undoLater: "impossible",
    again: "never",
    keptBy: ({ operation }) => operation,
    goal(state, { name, next, fingerprint, claim }) {
      const { claim: _old, ...there }: Partial<Vm> & typeof off = state.vm ?? { ...off, uuid: state.target.uuid };
      return { ...state, vm: { ...there, name, next, fingerprint, ...(claim && { claim }) } };
    },
    reached: (now, _goal, { fingerprint }) => now.vm?.fingerprint === fingerprint,
    undo: (before) => (before.vm ? "restore" : [{ kind: "vm.delete" }]),
    events: (before, _after, { operation }) => [
      { type: "vm.restored", data: { from_operation: operation, was_gone: before.vm === undefined } },
    ],
    summary: ({ operation }) => `put back the definition from before operation ${operation}`,
  }),
};

const off: Omit<Vm, "name" | "next" | "fingerprint"> = {
  uuid: "",
  power: "off",
  persistent: true,
  savedState: false,
  accelerator: "none",
};
