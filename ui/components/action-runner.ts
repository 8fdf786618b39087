/** Making a call that changes something: under way, refused, to be confirmed, done. One thing at a time, since a VM takes
 * one change at a time. */
import { type Signal, signal } from "@preact/signals";
import type { Arguments, CallTool, Refusal, ToolName } from "../api/tool.ts";
import { Refused } from "../api/tool.ts";
import { keepFocus } from "./focus.ts";

export type Wanted = Readonly<{ tool: string; args: Arguments; label: string; vmName: string }>;
export type Told =
  | Readonly<{ kind: "done"; label: string; changed: boolean; later: boolean; notes: readonly string[] }>
  | Readonly<{ kind: "refused"; wanted: Wanted; refusal: Refusal }>;
export type Asked = Readonly<{ wanted: Wanted; losses: readonly string[]; token: string; again: boolean }>;

export type Act = Readonly<{
  busy: Signal<string | undefined>;
  told: Signal<Told | undefined>;
  asked: Signal<Asked | undefined>;
  /** Returns the answer, or undefined where it was refused or is to be confirmed first. */
  run: (wanted: Wanted) => Promise<Readonly<Record<string, unknown>> | undefined>;
  /** The person has agreed to what is lost. */
  agree: () => Promise<void>;
}>;

/** `after` is told when something may have changed. */
export function actWith(
  call: CallTool,
  after: (wanted: Wanted, answer: Readonly<Record<string, unknown>>) => void,
): Act {
  const busy = signal<string | undefined>(undefined);
  const told = signal<Told | undefined>(undefined);
  const asked = signal<Asked | undefined>(undefined);

  async function run(wanted: Wanted, token?: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    if (busy.value !== undefined) return undefined;
    const giveFocusBack = keepFocus();
    busy.value = wanted.label;
    told.value = undefined;
    try {
      const args = { ...wanted.args, ...(token !== undefined && { confirm: token }) };
      const answer = (await call(wanted.tool as ToolName, args)) as Readonly<Record<string, unknown>>;
      const notes = Array.isArray(answer.notes) ? (answer.notes as string[]) : [];
      const later = answer.takes_effect === "next_start" && answer.changed === true;
      told.value = { kind: "done", label: wanted.label, changed: answer.changed !== false, later, notes };
      after(wanted, answer);
      return answer;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { refusal } = error;
      const details = refusal.details as { losses?: string[]; confirm?: string } | undefined;
      if (refusal.code === "CONFIRMATION_REQUIRED" && details?.losses && details.confirm !== undefined)
        asked.value = { wanted, losses: details.losses, token: details.confirm, again: token !== undefined };
      else {
        told.value = { kind: "refused", wanted, refusal };
        // What was refused halfway may have left something.
        after(wanted, {});
      }
      return undefined;
    } finally {
      busy.value = undefined;
      giveFocusBack();
    }
  }

  return {
    busy,
    told,
    asked,
    run: (wanted) => run(wanted),
    async agree() {
      const question = asked.value;
      if (!question) return;
      asked.value = undefined;
      await run(question.wanted, question.token);
    },
  };
}
