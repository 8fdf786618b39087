/** The common parts of all tools that change a VM: arguments, the call of the domain, the answer. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import type { ObserveOptions } from "../domain/engine/observe.ts";
import { type Outcome, operate, stepsInWords } from "../domain/engine/operate.ts";
import { DomainError } from "../domain/error.ts";
import { finding, findingCodes } from "../domain/model/finding.ts";
import type { State } from "../domain/model/state.ts";
import { VmRef } from "../domain/model/vm.ts";
import { type FoundVm, findVm } from "./find-vm.ts";
import type { ToolContext } from "./tool.ts";
import { FixView, VmView, viewFinding, viewVm } from "./view.ts";

/** Findings that can be accepted. A finding that blocks nothing needs no acceptance. */
const blockingCodes = findingCodes.filter((code) => finding(code, "").blocks.length > 0);

export const changeInput = {
  dry_run: z.boolean().default(false).describe("Only show the steps and findings; change nothing"),
  accept: z
    .array(z.enum(blockingCodes))
    .max(blockingCodes.length)
    .default([])
    .describe("Codes of findings to override"),
};
export const confirmInput = {
  confirm: z.string().max(200).optional().describe("The token from CONFIRMATION_REQUIRED, after the user has agreed"),
};
export const vmChangeInput = { vm: VmRef, ...changeInput };

export const ChangeView = z.object({
  vm: VmView,
  changed: z.boolean().describe("false: nothing to do, it was so already"),
  dry_run: z.boolean().optional(),
  operation: z.string().optional(),
  takes_effect: z.enum(["now", "next_start"]),
  steps: z.array(z.string()).describe("The steps made, or to be made in a dry run"),
  overridden: z.array(z.string()).optional().describe("Accepted findings that would have blocked this"),
  would_lose: z.array(z.string()).optional().describe("In a dry run: losses that need confirmation"),
  next_steps: z.array(FixView).describe("Likely next calls"),
  notes: z.array(z.string()).optional(),
});
export type ChangeView = z.input<typeof ChangeView>;

export type ChangeRequest = Readonly<{
  tool: string;
  input: Readonly<Record<string, unknown>> & {
    dry_run: boolean;
    accept: readonly string[];
    confirm?: string | undefined;
  };
  observe?: Omit<ObserveOptions, "signal">;
  /** Pure: derives the changes from the state. */
  intent: (state: State) => readonly Change[];
}>;

/** Changes the managed VM that `input.vm` names. @throws DomainError */
export async function changeVm(context: ToolContext, ref: string, request: ChangeRequest): Promise<Outcome> {
  return changeTarget(context, await findVm(context, ref), {
    ...request,
    intent(state) {
      if (!state.record) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? ref });
      if (!state.vm) throw new DomainError("VM_GONE", { vm: ref });
      return request.intent(state);
    },
  });
}

/** Changes a target, whether or not it is managed or exists. */
export async function changeTarget(context: ToolContext, found: FoundVm, request: ChangeRequest): Promise<Outcome> {
  if (found.unreachable) throw found.unreachable;
  const { dry_run: dryRun, accept, confirm, ...asked } = request.input;
  return operate(
    {
      backend: found.backend,
      store: found.store,
      newId: context.newId,
      now: context.now,
      claimWaitMs: context.claimWaitMs,
    },
    {
      target: found.target,
      what: request.tool,
      intent: request.intent,
      accept,
      dryRun,
      subject: `${request.tool} ${canonicalJson({ ...asked, accept })}`,
      context: context.call,
      ...(request.observe && { look: request.observe }),
      ...(confirm !== undefined && { confirm }),
    },
  );
}

/** The answer to a change. */
export function viewOutcome(
  outcome: Outcome,
  dryRun: boolean,
  nextSteps: readonly z.input<typeof FixView>[] = [],
): ChangeView {
  const { plan, after, changed, operation } = outcome;
  const shown = viewVm(dryRun ? outcome.before : after);
  const overridden = plan.overridden.map(({ code }) => code);
  const running = (dryRun ? outcome.before : after).vm?.power !== "off";
  return {
    vm: dryRun ? { ...shown, findings: plan.findings.map(viewFinding) } : shown,
    changed,
    ...(dryRun && { dry_run: true }),
    ...(operation && { operation }),
    takes_effect: running ? plan.takesEffect : "now",
    steps: stepsInWords(plan),
    ...(overridden.length && { overridden }),
    ...(dryRun && plan.losses.length && { would_lose: [...plan.losses] }),
    next_steps: [...nextSteps],
  };
}

/** JSON with sorted keys, so that equal arguments give equal text. */
const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    inner && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
