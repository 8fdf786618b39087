/** The installation's record, and the steps that can be recorded next. */
import { useEffect, useState } from "preact/hooks";
import { type Answers, ignoreRefused } from "../api/tool.ts";
import { formatTime, useWords } from "../language/language.ts";
import type { VmActions } from "./vm-actions.ts";

export function Installation({ actions, refreshes }: { actions: VmActions; refreshes: number }) {
  const t = useWords();
  const { vm, runner, call, callTool, canCall } = actions;
  const [status, setStatus] = useState<Answers["get_installation_status"] | undefined>(undefined);
  const [thenDisk, setThenDisk] = useState(true);
  const [thenEject, setThenEject] = useState(true);
  useEffect(() => {
    call("get_installation_status", { vm: vm.uuid }).then(setStatus, ignoreRefused);
  }, [call, vm.uuid, refreshes]);
  const steps = (status?.next_steps ?? []).map(({ tool }) => tool).filter(canCall);
  const others = steps.filter((tool) => tool !== "complete_installation" && tool !== "start_vm");
  const busy = runner.busy.value !== undefined;
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
            {t.install.by(suggestion.by)}, {formatTime(suggestion.at)}
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
              callTool(
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
          <button type="button" class="button" key={tool} disabled={busy} onClick={() => callTool(tool)}>
            {t.install.steps[tool as keyof typeof t.install.steps] ?? tool}
          </button>
        ))}
      </div>
    </section>
  );
}
