/** Tools as the page and the panel call them: the page over REST, the panel through its host. */
import type { Answers } from "../../src/tools/catalogue.ts";
import type { Refusal } from "../../src/tools/respond.ts";

export type { Answers, Refusal };

export type Vm = Answers["get_vm"];
export type ListedVm = Answers["list_vms"]["vms"][number];
export type Finding = Vm["findings"][number];
export type Fix = Finding["fixes"][number];
export type Iso = Answers["list_isos"]["isos"][number];
export type Operation = Answers["list_operations"]["operations"][number];
export type HistoryEvent = Answers["list_events"]["events"][number];
export type Prediction = Answers["check_boot"]["cold_start"];
export type Order = Prediction["boot_order"];

export type ToolName = keyof Answers;
export type Arguments = Readonly<Record<string, unknown>>;

/** @throws Refused */
export type CallTool = <Name extends ToolName>(tool: Name, args?: Arguments) => Promise<Answers[Name]>;

/** The error of a refused call. `UNREACHABLE` is the one code that no server sends. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

export const unreachable = () =>
  new Refused({ code: "UNREACHABLE", message: "", hint: "", next: null, details: undefined });

/** Lets a refusal pass and rethrows everything else. */
export function ignoreRefused(error: unknown): void {
  if (!(error instanceof Refused)) throw error;
}
