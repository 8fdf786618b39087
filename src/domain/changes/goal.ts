/** The state that a change leads to. */
import type { State } from "../model/state.ts";
import { type Change, definitionOf } from "./catalogue.ts";

/** The state that a change leads to, record included. */
export function goalOf(state: State, change: Change): State {
  const definition = definitionOf(change);
  const goal = definition.goal(state, change);
  return definition.record ? withRecord(goal, definition.record(state.record, goal, change)) : goal;
}
export function withRecord(state: State, record: State["record"] | null): State {
  const { record: _old, ...rest } = state;
  return record ? { ...rest, record } : rest;
}
