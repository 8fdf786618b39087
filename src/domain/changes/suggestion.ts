/** The suggestion that an installation looks complete, with its evidence. It only informs: the status stays. */
import { z } from "zod";
import { DomainError } from "../error.ts";
import { legalFrom } from "../model/installation.ts";
import type { State } from "../model/state.ts";
import { defineChange } from "./change.ts";

export const EVIDENCE_MAX = 500;
export const Evidence = z.string().min(1).max(EVIDENCE_MAX).describe("The evidence: what was seen, and where");

/** Cleans untrusted text for people and models: no control characters, no bidirectional marks. */
export const plainText = (text: string): string => text.replace(/\p{C}+/gu, " ").trim();

/** The run that a suggestion is about: the present one, else the last one begun. */
const runOf = ({ vm, record }: Pick<State, "vm" | "record">): string | undefined => vm?.run ?? record?.currentRun?.run;

export const suggestionChanges = {
  /** One suggestion for each run of an installation: a second one adds nothing. */
  "installation.suggest": defineChange({
    input: z.object({ evidence: Evidence, by: z.string(), at: z.string() }),
    appliedBy: "store",
    writes: "record",
    run: "keeps",
    observes: () => ({ vm: "next", record: true }),
    takesDefinition: false,
    removesVm: false,
    explains: () => ({}),
    undoLater: "impossible",
    again: "never",
    goal(state) {
      const { record } = state;
      if (!record) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? state.target.uuid });
      if (record.status !== "Installing") {
        const legal = legalFrom(record.status);
        const details = { vm: record.name, status: record.status, transition: "suggest_completion", legal };
        throw new DomainError("INSTALLATION_TRANSITION_ILLEGAL", details);
      }
      return state;
    },
    reached(now) {
      const known = now.record?.suggestion;
      const run = runOf(now);
      return known !== undefined && (run === undefined || known.run === run);
    },
    undo: () => "kept",
    record(record, now, { evidence, by, at }) {
      if (!record) return null;
      const run = runOf(now);
      return { ...record, suggestion: { evidence, by, at, ...(run !== undefined && { run }) } };
    },
    events(_before, after, { evidence }) {
      const run = after.record?.suggestion?.run;
      return [{ type: "installation.suggested", data: { evidence, ...(run !== undefined && { run }) } }];
    },
    summary: () => "record that the installation looks complete",
  }),
};
