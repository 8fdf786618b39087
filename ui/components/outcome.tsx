/** The outcome of the last call, seen and announced. */
import type { Finding, Fix, Refusal } from "../api/tool.ts";
import { callLabel } from "../language/call-label.ts";
import type { Words } from "../language/en.ts";
import { useWords } from "../language/language.ts";
import type { Action, ActionResult, ActionRunner } from "./action-runner.ts";
import { CloseButton } from "./close-button.tsx";
import { ServerText } from "./server-text.tsx";

/** `fix` carries out what a finding offers, where there is a VM to carry it out on. */
type Props = Readonly<{ runner: ActionRunner; fix?: (fix: Fix) => void }>;

export function Outcome(props: Props) {
  const t = useWords();
  const { busy, result: last } = props.runner;
  const result = last.value;
  return (
    <>
      <div role="status" aria-live="polite">
        {busy.value !== undefined && <p class="notice busy">{t.vm.busy(busy.value)}</p>}
        {result?.kind === "done" && <DoneNotice result={result} close={() => (last.value = undefined)} />}
      </div>
      <div role="alert">{result?.kind === "refused" && <RefusalNotice {...props} {...result} />}</div>
    </>
  );
}

function DoneNotice({ result, close }: { result: Extract<ActionResult, { kind: "done" }>; close: () => void }) {
  const t = useWords();
  return (
    <div class="notice done">
      <div>
        <p>
          <strong>{result.changed ? t.vm.done(result.label) : t.vm.nothing}</strong>
          {result.atNextStart && ` ${t.vm.nextStart}`}
        </p>
        {result.notes.map((note) => (
          <p key={note} lang="en">
            {note}
          </p>
        ))}
      </div>
      <CloseButton close={close} />
    </div>
  );
}

function RefusalNotice({ runner, fix, action, refusal }: Props & { action: Action; refusal: Refusal }) {
  const t = useWords();
  const findings = blockingFindings(refusal);
  const isUnreachable = refusal.code === "UNREACHABLE";
  const forceLabel = forceLabelOf(t, action, refusal);
  const isOverridable = findings.length > 0 && findings.every(({ overridable }) => overridable);
  const retry = (more: Record<string, unknown>, label: string) =>
    void runner.run({ ...action, args: { ...action.args, ...more }, label });
  return (
    <div class="notice refused">
      <div>
        <p>
          <strong>{isUnreachable ? t.unreachable : t.refusal.title}</strong>
          {!isUnreachable && <span class="code">{refusal.code}</span>}
        </p>
        {!isUnreachable && (
          <p>
            <ServerText text={refusal.message} code={refusal.code} about={findings} />
          </p>
        )}
        <p class="quiet" lang={isUnreachable ? undefined : "en"}>
          {isUnreachable ? t.unreachableHint : refusal.hint}
        </p>
        <div class="row">
          {isUnreachable && (
            <button type="button" class="button" onClick={() => retry({}, action.label)}>
              {t.again}
            </button>
          )}
          {fix &&
            findings.flatMap(({ code, fixes }) =>
              fixes.map((one) => (
                <button
                  type="button"
                  class="button"
                  key={`${code} ${JSON.stringify(one)}`}
                  onClick={() => fix({ tool: one.tool, arguments: { ...one.arguments } })}
                >
                  {callLabel(t, one.tool, one.arguments)}
                </button>
              )),
            )}
          {isOverridable && (
            <button
              type="button"
              class="button"
              onClick={() =>
                retry(
                  { accept: [...((action.args.accept as string[]) ?? []), ...findings.map(({ code }) => code)] },
                  action.label,
                )
              }
            >
              {t.refusal.anyway}
            </button>
          )}
          {forceLabel && (
            <button type="button" class="button danger" onClick={() => retry({ force: true }, forceLabel)}>
              {forceLabel}
            </button>
          )}
          {refusal.next !== null && !forceLabel && findings.length === 0 && (
            <span class="quiet">{t.refusal.next(callLabel(t, refusal.next, {}))}</span>
          )}
        </div>
      </div>
      <CloseButton close={() => (runner.result.value = undefined)} />
    </div>
  );
}

type BlockingFinding = Finding & Readonly<{ overridable?: boolean }>;
const blockingFindings = ({ code, details }: Refusal): readonly BlockingFinding[] =>
  (code === "BLOCKED_BY_FINDINGS" && (details as { findings?: BlockingFinding[] } | undefined)?.findings) || [];

/** The label of the forced call, where the plain one cannot do it. */
function forceLabelOf(t: Words, { tool, args }: Action, { code }: Refusal): string | undefined {
  if (args.force === true) return undefined;
  if (code === "SHUTDOWN_TIMED_OUT") return tool === "stop_vm" ? t.vm.cut : `${t.vm.cut}: ${callLabel(t, tool, {})}`;
  return code === "TRAY_LOCKED" ? t.refusal.open : undefined;
}
