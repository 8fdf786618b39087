/** Short words for states. Colour never says anything alone. */
import type { ListedVm } from "../api/tool.ts";
import { useWords } from "../language/language.ts";

export function PowerPill({ power }: { power: ListedVm["power"] }) {
  const t = useWords();
  return (
    <span class={`pill power-${power}`}>
      <span class="dot" aria-hidden="true" />
      {t.power[power]}
    </span>
  );
}

export function InstallationPill({ vm }: { vm: Pick<ListedVm, "installation_status" | "managed"> }) {
  const t = useWords();
  if (!vm.managed) return <span class="pill plain">{t.unmanaged}</span>;
  const status = vm.installation_status;
  return status ? <span class={`pill install-${status}`}>{t.installation[status]}</span> : null;
}
