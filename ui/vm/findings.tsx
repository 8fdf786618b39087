/** The findings about a VM, each with its fixes, and the changes that wait for a cold start. */
import type { Finding } from "../api/tool.ts";
import { ServerText } from "../components/server-text.tsx";
import { callLabel } from "../language/call-label.ts";
import { useWords } from "../language/language.ts";
import type { VmActions } from "./vm-actions.ts";

export function Findings({ actions, findings }: { actions: VmActions; findings: readonly Finding[] }) {
  const t = useWords();
  const { vm, runner, applyFix, canCall } = actions;
  return (
    <section class="card" aria-labelledby="findings">
      <h2 id="findings">{t.findings.title}</h2>
      {findings.length === 0 && <p class="quiet">{t.findings.none}</p>}
      <ul class="finding-list">
        {findings.map((finding) => (
          <li key={`${finding.code} ${finding.message}`} class={`finding ${finding.severity}`}>
            <p>
              <span class={`severity ${finding.severity}`}>{t.severity[finding.severity]}</span>
              <ServerText text={toSentence(finding.message)} code={finding.code} />
            </p>
            {vm.managed && finding.fixes.length > 0 && (
              <div class="row">
                {finding.fixes
                  .filter(({ tool }) => canCall(tool))
                  .map((one) => (
                    <button
                      type="button"
                      class="button small"
                      key={JSON.stringify(one)}
                      disabled={runner.busy.value !== undefined}
                      onClick={() => applyFix(one)}
                    >
                      {callLabel(t, one.tool, one.arguments)}
                    </button>
                  ))}
              </div>
            )}
          </li>
        ))}
      </ul>
      {vm.pending.length > 0 && (
        <div class="pending">
          <h3>{t.findings.pending}</h3>
          <ul>
            {vm.pending.map((change) => (
              <li key={change}>{t.pending[change] ?? change}</li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}

/** Capitalises the first word, unless it is a path or a program's name, and ends the sentence. */
export function toSentence(text: string, end = "."): string {
  const begun = /^[a-z]+[ ,]/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(begun) ? begun : `${begun}${end}`;
}
