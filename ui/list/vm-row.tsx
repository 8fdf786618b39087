/** One VM in the list. */
import type { Finding, ListedVm } from "../api/tool.ts";
import { InstallationPill, PowerPill } from "../components/pill.tsx";
import { fileName, formatGib, formatSize, useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import { serverText } from "../language/server-text.ts";

const severityRank = { error: 0, warning: 1, info: 2 } as const;

type Props = Readonly<{ vm: ListedVm; rowIndex: number; showsConnection: boolean; usedBytes: number | undefined }>;

export function VmRow({ vm, rowIndex, showsConnection, usedBytes }: Props) {
  const t = useWords();
  const p = usePageWords();
  const medium = vm.current_media ?? vm.next_media;
  const order = vm.boot_order;
  return (
    <div class="vm-row" role="row" aria-rowindex={rowIndex}>
      <span role="cell" class="name">
        <a href={`#/vms/${encodeURIComponent(vm.uuid)}`}>{vm.name}</a>
        {showsConnection && <small>{vm.connection}</small>}
      </span>
      <span role="cell" class="states">
        <PowerPill power={vm.power} /> <InstallationPill vm={vm} />
      </span>
      <span role="cell" class="boots">
        {order && t.order[order]}
      </span>
      <span role="cell" class="medium" title={medium}>
        {medium === undefined ? <span class="quiet">{p.list.noMedium}</span> : fileName(medium)}
      </span>
      <span role="cell" class="disk">
        {vm.disk_size !== undefined &&
          (usedBytes === undefined
            ? formatGib(vm.disk_size)
            : p.list.used(formatSize(usedBytes), formatGib(vm.disk_size)))}
      </span>
      <span role="cell" class="findings">
        <Findings findings={vm.findings} />
      </span>
    </div>
  );
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  const t = useWords();
  const p = usePageWords();
  const [first, ...rest] = [...findings].sort((a, b) => severityRank[a.severity] - severityRank[b.severity]);
  if (!first) return <span class="quiet">{p.list.noFindings}</span>;
  const translated = serverText.translate(first.message, first.code);
  return (
    <>
      <span class={`severity ${first.severity}`}>{t.severity[first.severity]}</span>
      <span lang={translated ? undefined : "en"} class="message" title={first.message}>
        {translated ?? first.message}
      </span>
      {rest.length > 0 && <small>{p.list.more(rest.length)}</small>}
    </>
  );
}
