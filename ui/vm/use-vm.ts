/** One VM, looked at again whenever something happens to it. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Answers, type CallTool, type Refusal, Refused, type Vm } from "../api/tool.ts";
import { actWith } from "../components/action-runner.ts";
import { useWords } from "../language/language.ts";
import { arrivesToStart } from "./start-after-navigation.ts";
import { type Desk, deskOf } from "./vm-actions.ts";

export type VmView = Readonly<{
  desk: Desk | undefined;
  report: Answers["check_boot"] | undefined;
  disk: Answers["get_disk_info"] | undefined;
  /** The image's tables were read. */
  checked: boolean;
  refusal: Refusal | undefined;
  /** Counts the looks, for what is looked at beside them. */
  round: number;
}>;

const CERTAINTY_MS = 2_000;
const CERTAINTY_LOOKS_MAX = 5;

export function useVm(options: {
  uuid: string;
  call: CallTool;
  may: (tool: string) => boolean;
  watch: (uuid: string, changed: () => void) => () => void;
  first?: Vm;
}): VmView {
  const { uuid, call, may, watch } = options;
  const t = useWords();
  const [vm, setVm] = useState<Vm | undefined>(options.first);
  const [report, setReport] = useState<VmView["report"]>(undefined);
  const [disk, setDisk] = useState<VmView["disk"]>(undefined);
  const [checked, setChecked] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | undefined>(undefined);
  const [round, setRound] = useState(0);
  const newest = useRef(0);

  const look = useCallback(() => {
    newest.current += 1;
    const mine = newest.current;
    /** Of two looks that overlap the later one counts. */
    const take = <T>(work: Promise<T>, set: (value: T | undefined) => void) =>
      work.then(
        (value) => mine === newest.current && set(value),
        (error: unknown) => {
          if (!(error instanceof Refused)) throw error;
          if (mine === newest.current) set(undefined);
        },
      );
    call("get_vm", { vm: uuid }).then(
      (value) => {
        if (mine !== newest.current) return;
        setVm(value);
        setRefusal(undefined);
      },
      (error: unknown) => {
        if (!(error instanceof Refused)) throw error;
        // What was seen last is better than nothing while the server is away.
        if (mine === newest.current && error.refusal.code !== "UNREACHABLE") setRefusal(error.refusal);
      },
    );
    void take(call("check_boot", { vm: uuid, orders: true }), setReport);
    void take(call("get_disk_info", { vm: uuid }), (value) => {
      setDisk(value);
      setChecked(false);
    });
    setRound((before) => before + 1);
  }, [call, uuid]);

  useEffect(() => {
    look();
    return watch(uuid, look);
  }, [uuid, look, watch]);

  // Nothing tells when a start is borne out, so that alone is asked for, a few times.
  const awaited = useRef(0);
  useEffect(() => {
    if (vm?.current_boot_certainty !== "predicted") {
      awaited.current = 0;
      return undefined;
    }
    if (awaited.current >= CERTAINTY_LOOKS_MAX) return undefined;
    awaited.current += 1;
    const timer = setTimeout(look, CERTAINTY_MS * awaited.current);
    return () => clearTimeout(timer);
  }, [vm, look]);

  const act = useMemo(
    () =>
      actWith(call, ({ tool }, answer) => {
        if (tool === "delete_vm" && answer.changed === true) location.hash = "#/";
        else look();
      }),
    [call, look],
  );

  const desk = useMemo(() => {
    if (!vm) return undefined;
    const show = (id: string) => {
      const element = document.getElementById(id);
      element?.scrollIntoView({ block: "center" });
      element?.focus({ preventScroll: true });
    };
    return deskOf(t, {
      vm,
      act,
      call,
      may,
      pickIso: () => show("iso-search"),
      showDisk(check) {
        show("disk");
        if (!check) return;
        void call("get_disk_info", { vm: uuid, check: true }).then(
          (value) => {
            setDisk(value);
            setChecked(true);
          },
          (error: unknown) => {
            if (!(error instanceof Refused)) throw error;
            const wanted = {
              tool: "get_disk_info",
              args: { vm: uuid, check: true },
              label: t.disk.check,
              vmName: vm.name,
            };
            act.told.value = { kind: "refused", wanted, refusal: error.refusal };
          },
        );
      },
    });
  }, [vm, act, call, uuid, t]);
  useEffect(() => {
    if (desk && arrivesToStart(uuid)) desk.does("start_vm");
  }, [desk, uuid]);
  return { desk, report, disk, checked, refusal, round };
}
