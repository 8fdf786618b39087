/** Decides whether a change is allowed; nothing else does. Pure: no clock, no I/O, no randomness. */

import { type Change, definitionOf } from "../changes/catalogue.ts";
import { goalOf } from "../changes/goal.ts";
import type { Step } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import { findingsOf } from "../model/boot-rules.ts";
import type { Finding, Gate } from "../model/finding.ts";
import { type State, withFacets } from "../model/state.ts";
import type { Capabilities, RunningEffect } from "../ports/backend.ts";

/** The steps to take, in order, and everything that should be known before. Plain data. */
export type Plan = Readonly<{
  steps: readonly Step[];
  goal: State;
  findings: readonly Finding[];
  overridden: readonly Finding[];
  losses: readonly string[];
  takesEffect: Exclude<RunningEffect, "refused">;
}>;

/** @throws DomainError CHANGE_UNSUPPORTED, VM_MUST_BE_OFF, BLOCKED_BY_FINDINGS, and what the changes themselves
 * throw */
export function decide(
  state: State,
  changes: readonly Change[],
  backend: Capabilities,
  accept: readonly string[] = [],
): Plan {
  const steps: Step[] = [];
  const losses: string[] = [];
  const gated: { gate: Gate; state: State }[] = [];
  let takesEffect: Plan["takesEffect"] = "now";
  let now = state;
  for (const change of changes) {
    const definition = definitionOf(change);
    const goal = goalOf(now, change);
    const recorded = definition.recorded?.(now.record, change) ?? true;
    if (recorded && definition.reached(now, goal, change, now)) {
      now = goal;
      continue;
    }
    if (definition.appliedBy === "backend") {
      const running = effectOn(now, change, backend);
      if (running === "next_start") takesEffect = "next_start";
    }
    losses.push(...(definition.loses?.(now, change) ?? []));
    const gate = typeof definition.gate === "function" ? definition.gate(change) : definition.gate;
    if (gate) gated.push({ gate, state: stateToCheck(gate, { state, now, goal }) });
    steps.push(stepOf(change, now, goal));
    now = goal;
  }
  if (steps.some(({ change }) => definitionOf(change).run !== "keeps")) takesEffect = "now";
  const overridden = new Map<string, Finding>();
  for (const { gate, state: judged } of gated) {
    // Later steps of the same operation may fix the findings that would refuse an earlier one.
    const blocking = findingsOf(
      gate === "start" || gate === "status" ? judged : stateAtFirstUse(gated, judged, now),
    ).filter(({ blocks }) => blocks.includes(gate));
    const refused = blocking.filter(({ code, overridable }) => !overridable || !accept.includes(code));
    if (refused.length) {
      throw new DomainError("BLOCKED_BY_FINDINGS", {
        vm: judged.vm?.name ?? state.target.uuid,
        action: actions[gate],
        findings: refused,
      });
    }
    for (const found of blocking) overridden.set(found.code, found);
  }
  return { steps, goal: now, findings: findingsOf(now), overridden: [...overridden.values()], losses, takesEffect };
}

/** A planned step. It keeps the facets of both states that its change observes. */
export function stepOf(change: Change, before: State, goal: State): Step {
  const definition = definitionOf(change);
  const facets = definition.observes(change);
  return {
    change,
    summary: definition.summary(change),
    before: withFacets(before, facets),
    goal: withFacets(goal, facets),
    artifacts: definition.artifacts?.(change) ?? [],
    status: "planned",
  };
}

const actions: Record<Gate, string> = {
  change: "change",
  resize: "grow a disk of",
  attach: "attach an ISO to",
  start: "start",
  status: "change the installation status of",
};

/** A start is judged by the state before it, everything else by its goal. A status is judged by the state before the
 * operation, since the operation itself rewrites the tag that would show a problem. */
function stateToCheck(gate: Gate, at: Readonly<{ state: State; now: State; goal: State }>): State {
  if (gate === "status") return at.state;
  return gate === "start" ? at.now : at.goal;
}

/** The state in which the definition is first used: just before a start, else at the end. */
const stateAtFirstUse = (gated: readonly { gate: Gate; state: State }[], judged: State, end: State): State =>
  gated.find(({ gate, state }) => gate === "start" && state !== judged)?.state ?? (end.vm ? end : judged);

function effectOn(state: State, change: Change, backend: Capabilities): RunningEffect {
  const capability = backend.changes[change.kind];
  if (!capability) {
    const supported = Object.keys(backend.changes);
    throw new DomainError("CHANGE_UNSUPPORTED", { change: change.kind, backend: backend.backend, supported });
  }
  if (!state.vm || state.vm.power === "off") return "now";
  if (capability.running === "refused")
    throw new DomainError("VM_MUST_BE_OFF", { vm: state.vm.name, change: change.kind });
  return capability.running;
}
