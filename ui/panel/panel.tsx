/** One VM in the chat: what the page shows of it, in little room, through the tools alone. */
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

/** The VM that a tool answered about: itself, or in what it says of a change. */
function vmIn({ structuredContent: data = {} }: ToolResult): Pick<Vm, "uuid"> | undefined {
  const one = (typeof data.vm === "object" && data.vm !== null ? data.vm : data) as Partial<Vm>;
  return typeof one.uuid === "string" ? { uuid: one.uuid } : undefined;
}

/** Nobody tells a panel of events, so it looks again when somebody comes back to it. */
function watch(_uuid: string, changed: () => void): () => void {
  const again = () => {
    if (document.visibilityState === "visible") changed();
  };
  addEventListener("focus", again);
  document.addEventListener("visibilitychange", again);
  return () => {
    removeEventListener("focus", again);
    document.removeEventListener("visibilitychange", again);
  };
}

function Panel({ call }: { call: CallTool }) {
  const t = useWords();
  const vm = shown.value;
  if (!vm) return <p class="quiet">{t.loading}</p>;
  return <OneVm key={`${vm.uuid} ${vm.count}`} uuid={vm.uuid} call={call} />;
}

const may = () => true;
function OneVm({ uuid, call }: { uuid: string; call: CallTool }) {
  const t = useWords();
  const { desk, report, disk, checked, refusal, round } = useVm({ uuid, call, may, watch });
  if (refusal) return <p role="alert">{refusal.code === "VM_NOT_FOUND" ? t.vm.gone : refusal.message}</p>;
  if (!desk) return <p class="quiet">{t.loading}</p>;
  return (
    <>
      <Heading desk={desk} isBrief />
      <Outcome act={desk.act} fix={desk.fix} />
      <Confirm act={desk.act} />
      <Findings desk={desk} findings={report?.findings ?? desk.vm.findings} />
      <BootOrder desk={desk} report={report} />
      <IsoChoice desk={desk} round={round} />
      {desk.vm.managed && <Installation desk={desk} round={round} />}
      <Disk desk={desk} disk={disk} checked={checked} />
    </>
  );
}

const root = document.getElementById("root")!;
const bridge = await openBridge(parent, {
  context({ theme, locale }: HostContext) {
    if (theme === "light" || theme === "dark") applyTheme(theme);
    if (locale) chooseLanguage(locale.slice(0, 2).toLowerCase());
  },
  result(result) {
    const vm = vmIn(result);
    if (vm) shown.value = { ...vm, count: (shown.peek()?.count ?? 0) + 1 };
  },
});
render(<Panel call={bridge.call} />, root);
new ResizeObserver(() => bridge.size(root.scrollWidth, Math.ceil(root.getBoundingClientRect().height))).observe(root);
