/** Running calls that change something: under way, refused, awaiting confirmation, done. One call at a time, since a VM
 * takes one change at a time. */
import { type Signal, signal } from "@preact/signals";
import type { Arguments, CallTool, Refusal, ToolName } from "../api/tool.ts";
import { Refused } from "../api/tool.ts";
import { saveFocus } from "./focus.ts";

export type Action = Readonly<{ tool: string; args: Arguments; label: string; vmName: string }>;
export type ActionResult =
  | Readonly<{ kind: "done"; label: string; changed: boolean; atNextStart: boolean; notes: readonly string[] }>
  | Readonly<{ kind: "refused"; action: Action; refusal: Refusal }>;
/** `isRepeated`: the person agreed once already, and what is lost has changed since. */
export type Confirmation = Readonly<{
  action: Action;
  losses: readonly string[];
  token: string;
  isRepeated: boolean;
}>;

type Answer = Readonly<Record<string, unknown>>;

export type ActionRunner = Readonly<{
  /** The label of the call under way. */
  busy: Signal<string | undefined>;
  result: Signal<ActionResult | undefined>;
  confirmation: Signal<Confirmation | undefined>;
  /** Returns the answer, or undefined where the call was refused or awaits confirmation. */
  run: (action: Action) => Promise<Answer | undefined>;
  /** Repeats the call with the person's agreement to what is lost. */
  confirm: () => Promise<void>;
}>;

/** `onSettled` runs when something may have changed; the answer of a refused call is empty. */
export function createActionRunner(call: CallTool, onSettled: (action: Action, answer: Answer) => void): ActionRunner {
  const busy = signal<string | undefined>(undefined);
  const result = signal<ActionResult | undefined>(undefined);
  const confirmation = signal<Confirmation | undefined>(undefined);

  async function run(action: Action, token?: string): Promise<Answer | undefined> {
    if (busy.value !== undefined) return undefined;
    const restoreFocus = saveFocus();
    busy.value = action.label;
    result.value = undefined;
    try {
      const args = { ...action.args, ...(token !== undefined && { confirm: token }) };
      const answer = (await call(action.tool as ToolName, args)) as Answer;
      const notes = Array.isArray(answer.notes) ? (answer.notes as string[]) : [];
      const atNextStart = answer.takes_effect === "next_start" && answer.changed === true;
      result.value = { kind: "done", label: action.label, changed: answer.changed !== false, atNextStart, notes };
      onSettled(action, answer);
      return answer;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { refusal } = error;
      const details = refusal.details as { losses?: string[]; confirm?: string } | undefined;
      if (refusal.code === "CONFIRMATION_REQUIRED" && details?.losses && details.confirm !== undefined)
        confirmation.value = {
          action,
          losses: details.losses,
          token: details.confirm,
          isRepeated: token !== undefined,
        };
      else {
        result.value = { kind: "refused", action, refusal };
        // A call refused halfway may have left something.
        onSettled(action, {});
      }
      return undefined;
    } finally {
      busy.value = undefined;
      restoreFocus();
    }
  }

  return {
    busy,
    result,
    confirmation,
    run: (action) => run(action),
    async confirm() {
      const agreed = confirmation.value;
      if (!agreed) return;
      confirmation.value = undefined;
      await run(agreed.action, agreed.token);
    },
  };
}
