/** The finding that an installation looks complete. */
import { type Finding, finding } from "./finding.ts";
import type { State } from "./state.ts";

/** Findings about an installation under way. */
export function suggestionFindings({ target, record }: State): Finding[] {
  if (!record?.suggestion || record.status !== "Installing") return [];
  const { by, evidence } = record.suggestion;
  const complete = { vm: target.uuid, boot_order: "hd", detach_iso: true };
  return [
    finding("INSTALLATION_LOOKS_COMPLETE", `${by} found: ${evidence}`, [
      { tool: "complete_installation", arguments: complete },
    ]),
  ];
}
