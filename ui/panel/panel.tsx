/** The panel: one VM in a chat, through tool calls alone. */
import { signal } from "@preact/signals";
import { render } from "preact";
import type { CallTool, Vm } from "../api/tool.ts";
import { Confirm } from "../components/confirm.tsx";
import { Outcome } from "../components/outcome.tsx";
import { applyTheme } from "../components/theme.ts";
import { chooseLanguage, useWords } from "../language/language.ts";
import { BootOrder } from "../vm/boot-order.tsx";
import { Disk } from "../vm/disk.tsx";
import { Findings } from "../vm/findings.tsx";
import { Heading } from "../vm/heading.tsx";
import { Installation } from "../vm/installation.tsx";
import { IsoChoice } from "../vm/iso-choice.tsx";
import { useVm } from "../vm/use-vm.ts";
import { type HostContext, openBridge, type ToolResult } from "./bridge.ts";
import "../style/tokens.css";
import "../style/base.css";
import "../style/components.css";
import "../style/vm.css";
import "../style/panel.css";

const shown = signal<Readonly<{ uuid: string; count: number }> | undefined>(undefined);

/** The VM in a tool's answer: the answer itself, or its `vm`. */
function vmOf({ structuredContent: data = {} }: ToolResult): Pick<Vm, "uuid"> | undefined {
  const one = (typeof data.vm === "object" && data.vm !== null ? data.vm : data) as Partial<Vm>;
  return typeof one.uuid === "string" ? { uuid: one.uuid } : undefined;
}

/** A panel receives no events, so it refreshes when it is shown or focused again. */
function subscribe(_uuid: string, onChange: () => void): () => void {
  const onReturn = () => {
    if (document.visibilityState === "visible") onChange();
  };
  addEventListener("focus", onReturn);
  document.addEventListener("visibilitychange", onReturn);
  return () => {
    removeEventListener("focus", onReturn);
    document.removeEventListener("visibilitychange", onReturn);
  };
}

function Panel({ call }: { call: CallTool }) {
  const t = useWords();
  const vm = shown.value;
  if (!vm) return <p class="quiet">{t.loading}</p>;
  return <VmPanel key={`${vm.uuid} ${vm.count}`} uuid={vm.uuid} call={call} />;
}

const canCall = () => true;
function VmPanel({ uuid, call }: { uuid: string; call: CallTool }) {
  const t = useWords();
  const { actions, report, disk, isDiskChecked, refusal, refreshes } = useVm({ uuid, call, canCall, subscribe });
  if (refusal) return <p role="alert">{refusal.code === "VM_NOT_FOUND" ? t.vm.gone : refusal.message}</p>;
  if (!actions) return <p class="quiet">{t.loading}</p>;
  return (
    <>
      <Heading actions={actions} isBrief />
      <Outcome runner={actions.runner} fix={actions.applyFix} />
      <Confirm runner={actions.runner} />
      <Findings actions={actions} findings={report?.findings ?? actions.vm.findings} />
      <BootOrder actions={actions} report={report} />
      <IsoChoice actions={actions} refreshes={refreshes} />
      {actions.vm.managed && <Installation actions={actions} refreshes={refreshes} />}
      <Disk actions={actions} disk={disk} isChecked={isDiskChecked} />
    </>
  );
}

const root = document.getElementById("root")!;
const bridge = await openBridge(parent, {
  onContext({ theme, locale }: HostContext) {
    if (theme === "light" || theme === "dark") applyTheme(theme);
    if (locale) chooseLanguage(locale.slice(0, 2).toLowerCase());
  },
  onResult(result) {
    const vm = vmOf(result);
    if (vm) shown.value = { ...vm, count: (shown.peek()?.count ?? 0) + 1 };
  },
});
render(<Panel call={bridge.call} />, root);
new ResizeObserver(() => bridge.reportSize(root.scrollWidth, Math.ceil(root.getBoundingClientRect().height))).observe(
  root,
);
