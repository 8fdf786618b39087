/** One VM's page: its state, what it would boot, and every action on it. */
import { isAllowed, type PageFacts } from "../api/facts.ts";
import type { CallTool } from "../api/tool.ts";
import { Confirm } from "../components/confirm.tsx";
import { Jobs } from "../components/jobs.tsx";
import { Outcome } from "../components/outcome.tsx";
import { ServerText } from "../components/server-text.tsx";
import { useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import type { JobStore } from "../list/job-store.ts";
import type { VmStore } from "../list/vm-store.ts";
import { BootOrder } from "./boot-order.tsx";
import { Console } from "./console.tsx";
import { Disk } from "./disk.tsx";
import { Findings } from "./findings.tsx";
import { Hardware } from "./hardware.tsx";
import { Heading } from "./heading.tsx";
import { History } from "./history.tsx";
import { Installation } from "./installation.tsx";
import { IsoChoice } from "./iso-choice.tsx";
import { useVm } from "./use-vm.ts";

type Props = Readonly<{ uuid: string; call: CallTool; vmStore: VmStore; jobStore: JobStore; facts: PageFacts }>;

export function VmPage({ uuid, call, vmStore, jobStore, facts }: Props) {
  const t = useWords();
  const p = usePageWords();
  const canCall = (tool: string) => isAllowed(facts, tool);
  const view = useVm({ uuid, call, canCall, subscribe: vmStore.subscribe });
  if (view.refusal) {
    const { code, message } = view.refusal;
    return (
      <div class="empty" role="alert">
        <p>{code === "VM_NOT_FOUND" ? t.vm.gone : <ServerText text={message} code={code} />}</p>
        <p>
          <a href="#/">{p.list.back}</a>
        </p>
      </div>
    );
  }
  if (!view.actions) return <p class="quiet">{t.loading}</p>;
  const { actions, report, disk, refreshes } = view;
  const { vm, runner } = actions;
  return (
    <>
      <p class="back">
        <a href="#/">
          <span aria-hidden="true">←</span> {p.list.back}
        </a>
      </p>
      <Heading actions={actions} />
      <Outcome runner={runner} fix={actions.applyFix} />
      <Confirm runner={runner} />
      <Jobs jobStore={jobStore} call={call} canCancel={canCall("cancel_job")} vm={uuid} />
      <Console actions={actions} facts={facts} />
      <div class="columns">
        <div>
          <Findings actions={actions} findings={report?.findings ?? vm.findings} />
          <BootOrder actions={actions} report={report} />
          <IsoChoice actions={actions} refreshes={refreshes} />
        </div>
        <div>
          {vm.managed && <Installation actions={actions} refreshes={refreshes} />}
          <Disk actions={actions} disk={disk} isChecked={view.isDiskChecked} />
          <Hardware vm={vm} />
        </div>
      </div>
      <History actions={actions} refreshes={refreshes} />
    </>
  );
}
