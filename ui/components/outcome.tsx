/** What came of the last call, where everybody sees and hears it. */
import type { Finding, Fix, Refusal } from "../api/tool.ts";
import { callInWords } from "../language/call-label.ts";
import type { Words } from "../language/en.ts";
import { useWords } from "../language/language.ts";
import type { Act, Told, Wanted } from "./action-runner.ts";
import { Said } from "./server-text.tsx";

/** `fix` does what a finding offers, where there is a VM to do it to. */
type Props = Readonly<{ act: Act; fix?: (fix: Fix) => void }>;

export function Outcome(props: Props) {
  const t = useWords();
  const { busy, told } = props.act;
  const is = told.value;
  return (
    <>
      <div role="status" aria-live="polite">
        {busy.value !== undefined && <p class="notice busy">{t.vm.busy(busy.value)}</p>}
        {is?.kind === "done" && <Done told={is} close={() => (told.value = undefined)} />}
      </div>
      <div role="alert">{is?.kind === "refused" && <Refusing {...props} {...is} />}</div>
    </>
  );
}

function Done({ told, close }: { told: Extract<Told, { kind: "done" }>; close: () => void }) {
  const t = useWords();
  return (
    <div class="notice done">
      <div>
        <p>
          <strong>{told.changed ? t.vm.done(told.label) : t.vm.nothing}</strong>
          {told.later && ` ${t.vm.nextStart}`}
        </p>
        {told.notes.map((note) => (
          <p key={note} lang="en">
            {note}
          </p>
        ))}
      </div>
      <CloseButton close={close} />
    </div>
  );
}

function Refusing({ act, fix, wanted, refusal }: Props & { wanted: Wanted; refusal: Refusal }) {
  const t = useWords();
  const findings = findingsIn(refusal);
  const nowhere = refusal.code === "UNREACHABLE";
  const forced = forcedLabel(t, wanted, refusal);
  const accepted = findings.length > 0 && findings.every(({ overridable }) => overridable);
  const again = (more: Record<string, unknown>, label: string) =>
    void act.run({ ...wanted, args: { ...wanted.args, ...more }, label });
  return (
    <div class="notice refused">
      <div>
        <p>
          <strong>{nowhere ? t.unreachable : t.refusal.title}</strong>
          {!nowhere && <span class="code">{refusal.code}</span>}
        </p>
        {!nowhere && (
          <p>
            <Said text={refusal.message} code={refusal.code} about={findings} />
          </p>
        )}
        <p class="quiet" lang={nowhere ? undefined : "en"}>
          {nowhere ? t.unreachableHint : refusal.hint}
        </p>
        <div class="row">
          {nowhere && (
            <button type="button" class="button" onClick={() => again({}, wanted.label)}>
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
                  {callInWords(t, one.tool, one.arguments)}
                </button>
              )),
            )}
          {accepted && (
            <button
              type="button"
              class="button"
              onClick={() =>
                again(
                  { accept: [...((wanted.args.accept as string[]) ?? []), ...findings.map(({ code }) => code)] },
                  wanted.label,
                )
              }
            >
              {t.refusal.anyway}
            </button>
          )}
          {forced && (
            <button type="button" class="button danger" onClick={() => again({ force: true }, forced)}>
              {forced}
            </button>
          )}
          {refusal.next !== null && !forced && findings.length === 0 && (
            <span class="quiet">{t.refusal.next(callInWords(t, refusal.next, {}))}</span>
          )}
        </div>
      </div>
      <CloseButton close={() => (act.told.value = undefined)} />
    </div>
  );
}

function CloseButton({ close }: { close: () => void }) {
  const t = useWords();
  return (
    <button type="button" class="close" aria-label={t.close} onClick={close}>
      <span aria-hidden="true">×</span>
    </button>
  );
}

type Blocking = Finding & Readonly<{ overridable?: boolean }>;
const findingsIn = ({ code, details }: Refusal): readonly Blocking[] =>
  (code === "BLOCKED_BY_FINDINGS" && (details as { findings?: Blocking[] } | undefined)?.findings) || [];

/** What a person may do by force, where asking did not do. */
function forcedLabel(t: Words, { tool, args }: Wanted, { code }: Refusal): string | undefined {
  if (args.force === true) return undefined;
  if (code === "SHUTDOWN_TIMED_OUT") return tool === "stop_vm" ? t.vm.cut : `${t.vm.cut}: ${callInWords(t, tool, {})}`;
  return code === "TRAY_LOCKED" ? t.refusal.open : undefined;
}
