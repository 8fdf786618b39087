/** One VM, fetched again whenever it may have changed. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Answers, type CallTool, ignoreRefused, type Refusal, Refused, type Vm } from "../api/tool.ts";
import { createActionRunner } from "../components/action-runner.ts";
import { useWords } from "../language/language.ts";
import { takeStartAfterNavigation } from "./start-after-navigation.ts";
import { createVmActions, type VmActions } from "./vm-actions.ts";

export type VmView = Readonly<{
  /** Undefined until the VM has arrived. */
  actions: VmActions | undefined;
  report: Answers["check_boot"] | undefined;
  disk: Answers["get_disk_info"] | undefined;
  /** Whether the image's tables were checked. */
  isDiskChecked: boolean;
  refusal: Refusal | undefined;
  /** Grows with each refresh, for sections that fetch more on their own. */
  refreshes: number;
}>;

const CERTAINTY_MS = 2_000;
const CERTAINTY_REFRESHES_MAX = 5;

export function useVm(options: {
  uuid: string;
  call: CallTool;
  canCall: (tool: string) => boolean;
  /** Calls `onChange` whenever this VM may have changed. Returns a function that ends the subscription. */
  subscribe: (uuid: string, onChange: () => void) => () => void;
}): VmView {
  const { uuid, call, canCall, subscribe } = options;
  const t = useWords();
  const [vm, setVm] = useState<Vm | undefined>(undefined);
  const [report, setReport] = useState<VmView["report"]>(undefined);
  const [disk, setDisk] = useState<VmView["disk"]>(undefined);
  const [isDiskChecked, setDiskChecked] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | undefined>(undefined);
  const [refreshes, setRefreshes] = useState(0);
  const newest = useRef(0);

  const refresh = useCallback(() => {
    newest.current += 1;
    const current = newest.current;
    /** Of two refreshes that overlap the later one counts. */
    const setIfNewest = <T>(answer: Promise<T>, set: (value: T | undefined) => void) =>
      answer.then(
        (value) => current === newest.current && set(value),
        (error: unknown) => {
          ignoreRefused(error);
          if (current === newest.current) set(undefined);
        },
      );
    call("get_vm", { vm: uuid }).then(
      (value) => {
        if (current !== newest.current) return;
        setVm(value);
        setRefusal(undefined);
      },
      (error: unknown) => {
        if (!(error instanceof Refused)) throw error;
        // The last known VM stays while the server is away.
        if (current === newest.current && error.refusal.code !== "UNREACHABLE") setRefusal(error.refusal);
      },
    );
    void setIfNewest(call("check_boot", { vm: uuid, orders: true }), setReport);
    void setIfNewest(call("get_disk_info", { vm: uuid }), (value) => {
      setDisk(value);
      setDiskChecked(false);
    });
    setRefreshes((before) => before + 1);
  }, [call, uuid]);

  useEffect(() => {
    refresh();
    return subscribe(uuid, refresh);
  }, [uuid, refresh, subscribe]);

  // No event tells that a start is confirmed, so the page polls for it, a few times.
  const certaintyRefreshes = useRef(0);
  useEffect(() => {
    if (vm?.current_boot_certainty !== "predicted") {
      certaintyRefreshes.current = 0;
      return undefined;
    }
    if (certaintyRefreshes.current >= CERTAINTY_REFRESHES_MAX) return undefined;
    certaintyRefreshes.current += 1;
    const timer = setTimeout(refresh, CERTAINTY_MS * certaintyRefreshes.current);
    return () => clearTimeout(timer);
  }, [vm, refresh]);

  const runner = useMemo(
    () =>
      createActionRunner(call, ({ tool }, answer) => {
        if (tool === "delete_vm" && answer.changed === true) location.hash = "#/";
        else refresh();
      }),
    [call, refresh],
  );

  const actions = useMemo(() => {
    if (!vm) return undefined;
    const scrollToAndFocus = (id: string) => {
      const element = document.getElementById(id);
      element?.scrollIntoView({ block: "center" });
      element?.focus({ preventScroll: true });
    };
    return createVmActions(t, {
      vm,
      runner,
      call,
      canCall,
      focusIsoSearch: () => scrollToAndFocus("iso-search"),
      showDisk({ check }) {
        scrollToAndFocus("disk");
        if (!check) return;
        const args = { vm: uuid, check: true };
        void call("get_disk_info", args).then(
          (value) => {
            setDisk(value);
            setDiskChecked(true);
          },
          (error: unknown) => {
            if (!(error instanceof Refused)) throw error;
            const action = { tool: "get_disk_info", args, label: t.disk.check, vmName: vm.name };
            runner.result.value = { kind: "refused", action, refusal: error.refusal };
          },
        );
      },
    });
  }, [vm, runner, call, uuid, t]);
  useEffect(() => {
    if (actions && takeStartAfterNavigation(uuid)) actions.callTool("start_vm");
  }, [actions, uuid]);
  return { actions, report, disk, isDiskChecked, refusal, refreshes };
}
