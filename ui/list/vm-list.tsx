/** The list of every VM, with search and filters. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { isAllowed, type PageFacts } from "../api/facts.ts";
import type { CallTool, ListedVm } from "../api/tool.ts";
import { createActionRunner } from "../components/action-runner.ts";
import { Confirm } from "../components/confirm.tsx";
import { Jobs } from "../components/jobs.tsx";
import { Outcome } from "../components/outcome.tsx";
import { ServerText } from "../components/server-text.tsx";
import { useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import { CreateVm } from "./create-vm.tsx";
import type { JobStore } from "./job-store.ts";
import { useVirtualList } from "./virtual-list.ts";
import { VmRow } from "./vm-row.tsx";
import type { VmStore } from "./vm-store.ts";

const filters = {
  all: () => true,
  running: ({ power }: ListedVm) => power === "running" || power === "paused",
  attention: ({ findings, power }: ListedVm) =>
    power === "missing" || findings.some(({ severity }) => severity !== "info"),
  installing: ({ installation_status: status }: ListedVm) => status === "Installing",
  unmanaged: ({ managed }: ListedVm) => !managed,
};
/** Disk use is requested of rows that stay visible this long, not of those scrolled past. */
const SCROLL_SETTLE_MS = 200;

type Filter = keyof typeof filters;

const searchTextOf = ({ name, uuid, connection, current_media = "", next_media = "" }: ListedVm) =>
  `${name} ${connection}/${name} ${uuid} ${current_media} ${next_media}`.toLowerCase();

type Props = Readonly<{ call: CallTool; vmStore: VmStore; jobStore: JobStore; facts: PageFacts }>;

export function VmList({ call, vmStore, jobStore, facts }: Props) {
  const t = useWords();
  const p = usePageWords();
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState<Filter>("all");
  const [creating, setCreating] = useState(false);
  const runner = useMemo(() => createActionRunner(call, () => void vmStore.reload()), [call, vmStore]);
  const all = vmStore.vms.value;
  const vms = useMemo(() => {
    const query = search.trim().toLowerCase();
    return [...(all?.values() ?? [])]
      .filter((vm) => filters[filter](vm) && (query === "" || searchTextOf(vm).includes(query)))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }, [all, search, filter]);
  const { body, drawn } = useVirtualList(vms.length);
  const { from, to } = drawn;
  useEffect(() => {
    const visible = vms.slice(from, to).map(({ uuid }) => uuid);
    const timer = setTimeout(() => vmStore.diskUse.setVisible(visible), SCROLL_SETTLE_MS);
    return () => clearTimeout(timer);
  }, [vms, from, to, vmStore]);
  const unmanaged = [...(all?.values() ?? [])].filter((vm) => !vm.managed);
  const connections = new Set([...(all?.values() ?? [])].map(({ connection }) => connection));
  const refusal = vmStore.refusal.value;
  return (
    <>
      <div class="head">
        <h1>{p.list.title}</h1>
        {"create_vm" in facts.tools && (
          <button type="button" class="button primary" onClick={() => setCreating(true)}>
            {p.list.create}
          </button>
        )}
      </div>
      <Outcome runner={runner} />
      <Confirm runner={runner} />
      <Jobs jobStore={jobStore} call={call} canCancel={isAllowed(facts, "cancel_job")} />
      {creating && <CreateVm call={call} connections={[...connections].sort()} close={() => setCreating(false)} />}
      <div class="tools">
        <label class="search">
          <span class="hidden">{p.list.search}</span>
          <input
            type="search"
            placeholder={p.list.search}
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        <fieldset class="chips">
          <legend class="hidden">{p.list.filter}</legend>
          {(Object.keys(filters) as Filter[]).map((one) => (
            <button type="button" class="chip" key={one} aria-pressed={filter === one} onClick={() => setFilter(one)}>
              {p.list.filters[one]}
            </button>
          ))}
        </fieldset>
        <p class="count" role="status">
          {all && p.list.shown(vms.length, all.size)}
        </p>
      </div>
      {filter === "unmanaged" && unmanaged.length > 0 && connections.size === 1 && "adopt_vm" in facts.tools && (
        <p>
          <button
            type="button"
            class="button"
            onClick={() =>
              void runner.run({
                tool: "adopt_vm",
                args: { all: true, connection: [...connections][0] },
                label: p.list.adoptAll(unmanaged.length),
                vmName: "",
              })
            }
          >
            {p.list.adoptAll(unmanaged.length)}
          </button>
        </p>
      )}
      {vmStore.unreachable.value.map(({ connection, reason }) => (
        <div class="notice refused" key={connection}>
          <div>
            <p>
              <strong>{p.list.unreachable(connection)}</strong>
            </p>
            <p lang="en">{reason}</p>
          </div>
        </div>
      ))}
      {refusal && (
        <div class="notice refused" role="alert">
          <div>
            <p>
              <strong>
                {refusal.code === "UNREACHABLE" ? (
                  t.unreachable
                ) : (
                  <ServerText text={refusal.message} code={refusal.code} />
                )}
              </strong>
            </p>
            {refusal.code === "UNREACHABLE" ? <p>{t.unreachableHint}</p> : <p lang="en">{refusal.hint}</p>}
          </div>
          <button type="button" class="button" onClick={() => void vmStore.reload()}>
            {t.again}
          </button>
        </div>
      )}
      {!all && !refusal && <p class="quiet">{t.loading}</p>}
      {all?.size === 0 && (
        <div class="empty">
          <p>{p.list.empty}</p>
          <p class="quiet">{p.list.emptyHint}</p>
        </div>
      )}
      {all && all.size > 0 && vms.length === 0 && <p class="empty">{p.list.nothingFits}</p>}
      {vms.length > 0 && (
        <div class="table" role="table" aria-label={p.list.title} aria-rowcount={vms.length + 1}>
          <div role="rowgroup">
            <div class="vm-row heading" role="row" aria-rowindex={1}>
              {(["name", "status", "boots", "medium", "disk", "findings"] as const).map((column) => (
                <span role="columnheader" key={column}>
                  {p.list.columns[column]}
                </span>
              ))}
            </div>
          </div>
          <div role="rowgroup" ref={body}>
            <div style={{ height: `${drawn.above}px` }} role="presentation" />
            {vms.slice(drawn.from, drawn.to).map((vm, index) => (
              <VmRow
                key={vm.uuid}
                vm={vm}
                rowIndex={drawn.from + index + 2}
                showsConnection={connections.size > 1}
                usedBytes={vmStore.diskUse.used.value.get(vm.uuid)}
              />
            ))}
            <div style={{ height: `${drawn.below}px` }} role="presentation" />
          </div>
        </div>
      )}
    </>
  );
}
