/** One VM: what it is, what it would do, and everything that can be done about it. */
import type { PageFacts } from "../api/facts.ts";
import type { CallTool } from "../api/tool.ts";
import { Confirm } from "../components/confirm.tsx";
import { Outcome } from "../components/outcome.tsx";
import { Said } from "../components/server-text.tsx";
import { useWords } from "../language/language.ts";
import type { Fleet } from "../list/vm-store.ts";
import { BootOrder } from "./boot-order.tsx";
import { Console } from "./console.tsx";
import { Disk } from "./disk.tsx";
import { Findings } from "./findings.tsx";
import { Machine } from "./hardware.tsx";
import { Heading } from "./heading.tsx";
import { History } from "./history.tsx";
import { Installation } from "./installation.tsx";
import { IsoChoice } from "./iso-choice.tsx";
import { useVm } from "./use-vm.ts";

export function VmPage(props: { uuid: string; call: CallTool; fleet: Fleet; facts: PageFacts }) {
  const t = useWords();
  const { facts } = props;
  const may = (tool: string) => {
    const known = facts.tools[tool];
    const scope = { read: "vm:read", change: "vm:write", destroy: "vm:destroy" } as const;
    return known !== undefined && facts.scopes.includes(scope[known.effect]);
  };
  const view = useVm({ ...props, may, watch: props.fleet.watch });
  if (view.refusal) {
    const { code, message } = view.refusal;
    return (
      <div class="empty" role="alert">
        <p>{code === "VM_NOT_FOUND" ? t.vm.gone : <Said text={message} code={code} />}</p>
        <p>
          <a href="#/">{t.vm.back}</a>
        </p>
      </div>
    );
  }
  if (!view.desk) return <p class="quiet">{t.loading}</p>;
  const { desk, report, disk, round } = view;
  return (
    <>
      <p class="back">
        <a href="#/">
          <span aria-hidden="true">←</span> {t.vm.back}
        </a>
      </p>
      <Heading desk={desk} />
      <Outcome act={desk.act} fix={desk.fix} />
      <Confirm act={desk.act} />
      <Console desk={desk} facts={facts} />
      <div class="columns">
        <div>
          <Findings desk={desk} findings={report?.findings ?? desk.vm.findings} />
          <BootOrder desk={desk} report={report} />
          <IsoChoice desk={desk} round={round} />
        </div>
        <div>
          {desk.vm.managed && <Installation desk={desk} round={round} />}
          <Disk desk={desk} disk={disk} checked={view.checked} />
          <Machine vm={desk.vm} />
        </div>
      </div>
      <History desk={desk} round={round} />
    </>
  );
}
