/** Formats answers and refusals: data for programs, a few lines of text for readers. */
import { z } from "zod";
import { DomainError, type ErrorCode } from "../domain/error.ts";
import type { Tool } from "./tool.ts";

/** The tool to call after each refusal. The compiler requires an entry for each code. */
export const nextTool: Record<ErrorCode, string | null> = {
  INPUT_INVALID: null,
  TOOL_NOT_FOUND: null,
  MESSAGE_TOO_LARGE: null,
  ANSWER_TOO_LARGE: null,
  SERVER_BUSY: null,
  CONNECTION_NOT_FOUND: "list_vms",
  VM_NOT_FOUND: "list_vms",
  VM_GONE: "repair_vm",
  VM_AMBIGUOUS: "list_vms",
  VM_NOT_MANAGED: "adopt_vm",
  VM_EXISTS: "list_vms",
  VM_TRANSIENT: null,
  VM_MUST_BE_OFF: "stop_vm",
  VM_PAUSED: "get_vm",
  VM_BUSY: "get_vm",
  VM_CHANGED_MEANWHILE: "get_vm",
  CONSOLE_UNAVAILABLE: "get_vm",
  CHANGE_UNSUPPORTED: null,
  GROUP_UNSUPPORTED: null,
  BLOCKED_BY_FINDINGS: "check_boot",
  INSTALLATION_TRANSITION_ILLEGAL: "get_installation_status",
  ISO_OUTSIDE_LIBRARY: "list_isos",
  ISO_NOT_FOUND: "list_isos",
  PATH_OUTSIDE_IMAGES: null,
  DISK_EXISTS: null,
  IMAGE_REFUSED: "get_disk_info",
  IMAGE_TOOL_FAILED: "get_disk_info",
  HOST_SPACE_LACKING: null,
  HOST_TOO_SMALL: null,
  DRIVE_NOT_FOUND: "get_vm",
  DISK_NOT_FOUND: "get_vm",
  SHRINK_REFUSED: "get_disk_info",
  DISK_NOT_GROWABLE: "get_disk_info",
  TRAY_LOCKED: "detach_iso",
  SHUTDOWN_TIMED_OUT: "stop_vm",
  CONFIRMATION_REQUIRED: null,
  CONFIRMATION_BY_PERSON: null,
  CONFIRMATION_INVALID: null,
  CONFIRMATION_DECLINED: null,
  OPERATION_NOT_FOUND: null,
  JOB_NOT_FOUND: "list_jobs",
  JOB_ENDED: "get_job",
  JOB_INTERRUPTED: "get_job",
  EVENT_NOT_FOUND: "list_events",
  SUBSCRIBER_NOT_FOUND: "list_dead_letters",
  UNDO_IMPOSSIBLE: "get_operation",
  DEFINITION_NOT_FOUND: "list_definitions",
  REPAIR_IMPOSSIBLE: "get_vm",
  OUTCOME_UNKNOWN: "get_operation",
  ROLLBACK_FAILED: "get_operation",
  GOAL_NOT_REACHED: "get_vm",
  CANCELLED: "get_vm",
  BACKEND_UNAVAILABLE: null,
  BACKEND_FAILED: "get_vm",
  PLUGIN_NOT_FOUND: null,
  PLUGIN_INVALID: null,
  PLUGIN_CONFIG_INVALID: null,
  GUEST_LISTENER_OFF: null,
  GUEST_PLUGIN_NOT_FOUND: null,
  PLUGIN_NAME_TAKEN: null,
  PLUGIN_FAILED: "list_plugins",
  PLUGIN_TIMED_OUT: "list_plugins",
  PERMISSION_DENIED: null,
  STORE_LOCKED: null,
  STORE_READ_ONLY: null,
  STORE_TOO_NEW: null,
  STORE_CORRUPT: null,
  STORE_UNAVAILABLE: null,
};

export type Refusal = Readonly<{
  code: string;
  message: string;
  hint: string;
  next: string | null;
  details: unknown;
  outcome?: unknown;
}>;

/** A hypervisor's error text may have any length. */
const TEXT_MAX = 4_000;
const DETAILS_MAX = 65_536;
const cut = (text: string, most = TEXT_MAX): string => (text.length > most ? `${text.slice(0, most)} …` : text);

export function refusalOf(error: DomainError): Refusal {
  const { code, message, hint, outcome } = error;
  const details = JSON.stringify(error.details).length > DETAILS_MAX ? {} : error.details;
  return {
    code,
    message: cut(message),
    hint: cut(hint),
    next: nextTool[code],
    details,
    ...(outcome && { outcome }),
  };
}

/** A refusal as a few lines that a model reads. */
export function refusalText({ code, message, hint, next, outcome }: Refusal): string {
  const ended = outcome as { operation: string; status: string; kept: string[] } | undefined;
  const lines = [
    `${code}: ${message}`,
    ended &&
      `Operation ${ended.operation}: ${ended.status}${ended.kept.length ? `; stays done: ${ended.kept.join("; ")}` : ""}`,
    hint,
    next && `Next: call ${next}`,
  ];
  return lines.filter(Boolean).join("\n");
}

const ISSUES_MAX = 20;
const ISSUE_CHARACTERS_MAX = 300;

/** Parses a tool's arguments. @throws DomainError INPUT_INVALID that names up to ISSUES_MAX wrong arguments */
export function parseInput(tool: Tool, args: unknown): Record<string, unknown> {
  const parsed = z.strictObject(tool.input.shape).safeParse(args ?? {});
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const shown = issues
    .slice(0, ISSUES_MAX)
    .map(({ path, message }) => cut(`${path.length ? path.join(".") : "arguments"}: ${message}`, ISSUE_CHARACTERS_MAX));
  if (issues.length > ISSUES_MAX) shown.push(`and ${issues.length - ISSUES_MAX} more`);
  throw new DomainError("INPUT_INVALID", { issues: shown });
}

type VmLine = {
  name: string;
  power: string;
  installation_status?: string;
  boot_order?: string;
  current_media?: string;
  stale_since?: string;
  stale_reason?: string;
  findings: Finding[];
};
type Call = Readonly<{ tool: string; arguments: unknown }>;
type Finding = Readonly<{ code: string; message: string; fixes: readonly Call[] }>;
const vmLine = (vm: VmLine) =>
  [
    `${vm.name}: ${vm.power}`,
    vm.installation_status,
    vm.boot_order && `boot order ${vm.boot_order}`,
    vm.current_media ? `ISO ${vm.current_media}` : "no ISO",
    vm.stale_since && `from the record of ${vm.stale_since}`,
  ]
    .filter(Boolean)
    .join(", ");
const callLine = ({ tool, arguments: args }: Call) => `${tool} ${JSON.stringify(args)}`;
const listed = (head: string, items: unknown) =>
  Array.isArray(items) && items.length ? [`${head}: ${items.join("; ")}`] : [];

/** The short text of an answer, with all that a reader needs: some hosts show a model nothing else. */
export function answerText(tool: Pick<Tool, "name">, data: Record<string, unknown>): string {
  const vm = data.vm as VmLine | string | undefined;
  if (typeof data.changed === "boolean" && vm && typeof vm === "object") {
    const { changed, dry_run: dry, steps, next_steps: next } = data as { [name: string]: unknown; next_steps: Call[] };
    return [
      changed ? `${dry ? "Would do" : "Done"}: ${(steps as string[]).join("; ")}` : "Nothing to do: it was so already",
      ...(changed && data.takes_effect === "next_start"
        ? ["Takes effect at the next cold start, not at a reboot from inside the guest"]
        : []),
      ...listed("Would lose (needs confirmation)", data.would_lose),
      ...listed("Overridden findings", data.overridden),
      vmLine(vm),
      ...findingLines(vm.findings),
      ...((data.notes as string[] | undefined) ?? []),
      ...next.map((step) => `Next: ${callLine(step)}`),
    ].join("\n");
  }
  if (tool.name === "get_vm") {
    const seen = data as VmLine;
    return [vmLine(seen), ...(seen.stale_reason ? [seen.stale_reason] : []), ...findingLines(seen.findings)].join("\n");
  }
  if (tool.name === "list_vms") {
    const { vms, unreachable } = data as { vms: VmLine[]; unreachable: { reason: string }[] };
    const lines = [...vms.map(vmLine), ...unreachable.map(({ reason }) => reason)];
    return lines.length ? lines.join("\n") : "There are no VMs";
  }
  return JSON.stringify(data);
}

const findingLines = (findings: readonly Finding[]) =>
  findings.map(({ code, message, fixes }) =>
    [`${code}: ${message}`, ...(fixes.length ? [`mend: ${fixes.map(callLine).join(" or ")}`] : [])].join("; "),
  );
