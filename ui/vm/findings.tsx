/** What is remarkable, each with what mends it. */
import type { Finding } from "../api/tool.ts";
import { Said } from "../components/server-text.tsx";
import { callInWords } from "../language/call-label.ts";
import { useWords } from "../language/language.ts";
import type { Desk } from "./vm-actions.ts";

export function Findings({ desk, findings }: { desk: Desk; findings: readonly Finding[] }) {
  const t = useWords();
  const { vm, act, fix, may } = desk;
  return (
    <section class="card" aria-labelledby="findings">
      <h2 id="findings">{t.findings.title}</h2>
      {findings.length === 0 && <p class="quiet">{t.findings.none}</p>}
      <ul class="finding-list">
        {findings.map((finding) => (
          <li key={`${finding.code} ${finding.message}`} class={`finding ${finding.severity}`}>
            <p>
              <span class={`severity ${finding.severity}`}>{t.severity[finding.severity]}</span>
              <Said text={sentence(finding.message)} code={finding.code} />
            </p>
            {vm.managed && finding.fixes.length > 0 && (
              <div class="row">
                {finding.fixes
                  .filter(({ tool }) => may(tool))
                  .map((one) => (
                    <button
                      type="button"
                      class="button small"
                      key={JSON.stringify(one)}
                      disabled={act.busy.value !== undefined}
                      onClick={() => fix(one)}
                    >
                      {callInWords(t, one.tool, one.arguments)}
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

/** A path or the name of a program at the beginning keeps its letters. */
export function sentence(text: string, end = "."): string {
  const begun = /^[a-z]+[ ,]/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(begun) ? begun : `${begun}${end}`;
}
