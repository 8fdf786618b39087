/** What is on record about the installation, and saying that it is done. */
import { useEffect, useState } from "preact/hooks";
import { type Answers, Refused } from "../api/tool.ts";
import { timeOf, useWords } from "../language/language.ts";
import type { Desk } from "./vm-actions.ts";

export function Installation({ desk, round }: { desk: Desk; round: number }) {
  const t = useWords();
  const { vm, act, call, does, may } = desk;
  const [known, setKnown] = useState<Answers["get_installation_status"] | undefined>(undefined);
  const [thenDisk, setThenDisk] = useState(true);
  const [thenEject, setThenEject] = useState(true);
  useEffect(() => {
    call("get_installation_status", { vm: vm.uuid }).then(setKnown, (error: unknown) => {
      if (!(error instanceof Refused)) throw error;
    });
  }, [call, vm.uuid, round]);
  const steps = (known?.next_steps ?? []).map(({ tool }) => tool).filter(may);
  const others = steps.filter((tool) => tool !== "complete_installation" && tool !== "start_vm");
  const busy = act.busy.value !== undefined;
  const { suggestion } = vm;
  return (
    <section class="card" aria-labelledby="installation">
      <h2 id="installation">{t.install.title}</h2>
      {vm.installation_status && <p>{t.installation[vm.installation_status]}</p>}
      {suggestion && (
        <div class="suggestion">
          <p>
            <strong>{t.install.suggestion}</strong>
          </p>
          <p lang="en">{suggestion.evidence}</p>
          <p class="quiet">
            {t.install.by(suggestion.by)}, {timeOf(suggestion.at)}
          </p>
        </div>
      )}
      {steps.includes("complete_installation") && (
        <>
          <label class="check">
            <input type="checkbox" checked={thenDisk} onChange={(event) => setThenDisk(event.currentTarget.checked)} />{" "}
            {t.install.thenDisk}
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={thenEject}
              onChange={(event) => setThenEject(event.currentTarget.checked)}
            />{" "}
            {t.install.thenEject}
          </label>
        </>
      )}
      <div class="row">
        {steps.includes("complete_installation") && (
          <button
            type="button"
            class={`button ${vm.installation_status === "Installing" ? "primary" : ""}`}
            disabled={busy}
            onClick={() =>
              does(
                "complete_installation",
                { ...(thenDisk && { boot_order: "hd" }), ...(thenEject && { detach_iso: true }) },
                t.install.complete,
              )
            }
          >
            {t.install.complete}
          </button>
        )}
        {others.map((tool) => (
          <button type="button" class="button" key={tool} disabled={busy} onClick={() => does(tool)}>
            {t.install.steps[tool as keyof typeof t.install.steps] ?? tool}
          </button>
        ))}
      </div>
    </section>
  );
}
