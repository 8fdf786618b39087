/** Which VM it is, how it is, and its power. */

import { InstallationPill, PowerPill } from "../components/pill.tsx";
import { fileOf, timeOf, useWords } from "../language/language.ts";
import type { Desk } from "./vm-actions.ts";

/** `isBrief`: in a chat, where nothing leads away from the VM. */
export function Heading({ desk, isBrief = false }: { desk: Desk; isBrief?: boolean }) {
  const t = useWords();
  const { vm, does, may, act } = desk;
  const busy = act.busy.value !== undefined;
  const isOn = vm.power === "running" || vm.power === "paused";
  const button = (
    tool: string,
    label: string,
    more: { args?: Record<string, unknown>; kind?: string; said?: string } = {},
  ) =>
    may(tool) && (
      <button
        type="button"
        class={`button ${more.kind ?? ""}`}
        disabled={busy}
        onClick={() => does(tool, more.args, more.said ?? label)}
      >
        {label}
      </button>
    );
  return (
    <div class="head vm-head">
      <div>
        <h1>{vm.name}</h1>
        {/* Whoever does not see the page hears what has become of the VM. */}
        <p class="states" role="status">
          <PowerPill power={vm.power} /> <InstallationPill vm={vm} />
          {vm.current_boot_device && (
            <span class="quiet">
              {t.vm.bootedFrom[vm.current_boot_device]}
              {vm.current_boot_certainty && ` (${t.vm.certainty[vm.current_boot_certainty]})`}
              {vm.current_boot_device === "cdrom" && vm.current_media && `: ${fileOf(vm.current_media)}`}
            </span>
          )}
        </p>
        {vm.stale && <p class="notice">{t.stale(vm.stale_since ? timeOf(vm.stale_since) : "?")}</p>}
      </div>
      {vm.managed ? (
        <div class="row actions">
          {vm.power === "off" && button("start_vm", t.vm.start, { kind: "primary" })}
          {isOn && button("stop_vm", t.vm.stop)}
          {isOn && button("restart_vm", t.vm.restart)}
          {isOn && button("stop_vm", t.vm.cut, { args: { force: true }, kind: "danger" })}
          {!isOn && !isBrief && button("delete_vm", t.vm.remove, { kind: "danger", said: t.call.delete_vm })}
        </div>
      ) : (
        <div class="adopt">
          <p class="quiet">{t.vm.adoptHint}</p>
          {button("adopt_vm", t.vm.adopt, { kind: "primary" })}
        </div>
      )}
    </div>
  );
}
