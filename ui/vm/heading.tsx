/** The VM's name, state and power buttons. */
import { InstallationPill, PowerPill } from "../components/pill.tsx";
import { fileName, formatTime, useWords } from "../language/language.ts";
import type { VmActions } from "./vm-actions.ts";

/** `isBrief`: without deletion, for the panel in a chat, which shows this VM alone. */
export function Heading({ actions, isBrief = false }: { actions: VmActions; isBrief?: boolean }) {
  const t = useWords();
  const { vm, callTool, canCall, runner } = actions;
  const busy = runner.busy.value !== undefined;
  const isOn = vm.power === "running" || vm.power === "paused";
  const button = (
    tool: string,
    label: string,
    more: { args?: Record<string, unknown>; variant?: string; actionLabel?: string } = {},
  ) =>
    canCall(tool) && (
      <button
        type="button"
        class={`button ${more.variant ?? ""}`}
        disabled={busy}
        onClick={() => callTool(tool, more.args, more.actionLabel ?? label)}
      >
        {label}
      </button>
    );
  return (
    <div class="head vm-head">
      <div>
        <h1>{vm.name}</h1>
        {/* A screen reader announces what has become of the VM. */}
        <p class="states" role="status">
          <PowerPill power={vm.power} /> <InstallationPill vm={vm} />
          {vm.current_boot_device && (
            <span class="quiet">
              {t.vm.bootedFrom[vm.current_boot_device]}
              {vm.current_boot_certainty && ` (${t.vm.certainty[vm.current_boot_certainty]})`}
              {vm.current_boot_device === "cdrom" && vm.current_media && `: ${fileName(vm.current_media)}`}
            </span>
          )}
        </p>
        {vm.stale && <p class="notice">{t.stale(vm.stale_since ? formatTime(vm.stale_since) : "?")}</p>}
      </div>
      {vm.managed ? (
        <div class="row actions">
          {vm.power === "off" && button("start_vm", t.vm.start, { variant: "primary" })}
          {isOn && button("stop_vm", t.vm.stop)}
          {isOn && button("restart_vm", t.vm.restart)}
          {isOn && button("stop_vm", t.vm.cut, { args: { force: true }, variant: "danger" })}
          {!isOn && !isBrief && button("delete_vm", t.vm.remove, { variant: "danger", actionLabel: t.call.delete_vm })}
        </div>
      ) : (
        <div class="adopt">
          <p class="quiet">{t.vm.adoptHint}</p>
          {button("adopt_vm", t.vm.adopt, { variant: "primary" })}
        </div>
      )}
    </div>
  );
}
