/** Puts back a definition that an operation kept from before it. */
import { z } from "zod";
import { ClaimTag, type Vm, type VmDefinition, VmName } from "../model/vm.ts";
import { defineChange } from "./change.ts";

export const definitionChanges = {
  /** Puts back the whole definition from before an operation. The change names the operation and does not carry the
   * definition, which may be large and contain passwords. */
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
