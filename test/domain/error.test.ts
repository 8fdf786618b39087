import { describe, expect, test } from "vitest";
import { DomainError, type ErrorCode, type ErrorDetails, errorCodes } from "../../src/domain/error.ts";
import { finding } from "../../src/domain/model/finding.ts";
import { allTools } from "../../src/tools/catalogue.ts";
import { nextTool, refusalOf, refusalText } from "../../src/tools/respond.ts";

const vm = "web";
const path = "/images/web.qcow2";
const known = ["web", "db"];
const reason = "the service is down";
/** One example of each, with details as they really are: a code without an example does not compile. */
const examples: { [C in ErrorCode]: ErrorDetails<C> } = {
  INPUT_INVALID: { issues: ["boot_order: Invalid option"] },
  TOOL_NOT_FOUND: { tool: "get_vms", known: ["get_vm"] },
  MESSAGE_TOO_LARGE: { bytes: 100_000_000, bytesMax: 1_048_576 },
  ANSWER_TOO_LARGE: { tool: "list_vms", bytes: 12_000_000, bytesMax: 8_388_608 },
  SERVER_BUSY: { calls: 256 },
  CONNECTION_NOT_FOUND: { connection: "lab", known },
  VM_NOT_FOUND: { vm: "wbe", known, unreachable: ["lab2"] },
  VM_GONE: { vm },
  VM_AMBIGUOUS: { vm, candidates: ["local/web", "lab2/web"] },
  VM_NOT_MANAGED: { vm },
  VM_EXISTS: { name: vm, connection: "local", uuid: "5e0a7a4e" },
  VM_TRANSIENT: { vm },
  VM_MUST_BE_OFF: { vm, change: "vm.delete" },
  VM_PAUSED: { vm, reason: "I/O error" },
  VM_BUSY: { vm, holder: "cli", what: "start_vm", since: "2026-11-23T10:00:00.000Z", waitedMs: 1000 },
  VM_CHANGED_MEANWHILE: { vm },
  CONSOLE_UNAVAILABLE: { vm: "web", reason: "it is off" },
  GROUP_UNSUPPORTED: { group: "display", connection: "lab", backend: "memory", connections: ["local"] },
  CHANGE_UNSUPPORTED: { change: "disk.resize", backend: "memory", supported: ["boot_order.set"] },
  BLOCKED_BY_FINDINGS: {
    vm,
    action: "start",
    findings: [finding("DISK_BLANK", "the order is hd and the disk holds no data")],
  },
  INSTALLATION_TRANSITION_ILLEGAL: { vm, status: "Installed", transition: "complete", legal: ["begin_reinstallation"] },
  ISO_OUTSIDE_LIBRARY: { path, directories: ["/isos"] },
  ISO_NOT_FOUND: { iso: "debian.iso", known: [] },
  PATH_OUTSIDE_IMAGES: { path, directory: "/images" },
  DISK_EXISTS: { path },
  IMAGE_REFUSED: { path, reason: "its backing file lies outside" },
  IMAGE_TOOL_FAILED: { command: "qemu-img info", reason: "it ended with 1" },
  HOST_SPACE_LACKING: { path, neededBytes: 2 ** 40, freeBytes: 2 ** 30 },
  HOST_TOO_SMALL: { connection: "local", what: "cpus", asked: 512, has: 64 },
  DRIVE_NOT_FOUND: { vm, drive: "sdz", known: ["sda"] },
  DISK_NOT_FOUND: { vm, disk: "vdz", known: ["vda"] },
  SHRINK_REFUSED: { vm, currentBytes: 2 ** 35, requestedBytes: 2 ** 34 },
  DISK_NOT_GROWABLE: { vm, disk: "vda", reason: "it is read-only" },
  TRAY_LOCKED: { vm, drive: "sda" },
  SHUTDOWN_TIMED_OUT: { vm, waitedMs: 60_000 },
  CONFIRMATION_REQUIRED: { vm, losses: [`the file ${path}`], confirm: "token", expiresAt: "2026-11-23T10:05:00.000Z" },
  CONFIRMATION_BY_PERSON: { vm, losses: [`the file ${path}`] },
  CONFIRMATION_INVALID: { vm },
  CONFIRMATION_DECLINED: { vm },
  OPERATION_NOT_FOUND: { operation: "op-1" },
  JOB_NOT_FOUND: { job: "job-1" },
  JOB_ENDED: { job: "job-1", status: "done" },
  JOB_INTERRUPTED: { job: "job-1", attempts: 3 },
  EVENT_NOT_FOUND: { event: "op-1:0" },
  SUBSCRIBER_NOT_FOUND: { subscriber: "webhok", known: ["webhook"] },
  UNDO_IMPOSSIBLE: { operation: "op-1", reason: "it ended rolled_back, so there is nothing to undo" },
  DEFINITION_NOT_FOUND: { vm, operation: "op-1", known: ["op-2"] },
  REPAIR_IMPOSSIBLE: { vm, reason: "nothing was kept of it" },
  OUTCOME_UNKNOWN: { vm, operation: "op-1", reason },
  ROLLBACK_FAILED: { vm, operation: "op-1", reason, left: ["set the boot order to hd"] },
  GOAL_NOT_REACHED: { vm, change: "boot_order.set" },
  CANCELLED: { vm },
  BACKEND_UNAVAILABLE: { connection: "local", reason },
  BACKEND_FAILED: { connection: "local", change: "power.start", reason },
  PLUGIN_NOT_FOUND: { plugin: "libvrt", reason: "there is no such file" },
  PLUGIN_INVALID: { plugin: "libvrt", reason: "it exports nothing" },
  PLUGIN_CONFIG_INVALID: { plugin: "memory", connection: "local", issues: ["cpus: expected number"] },
  GUEST_LISTENER_OFF: {},
  GUEST_PLUGIN_NOT_FOUND: { plugin: "phone-hom", known: ["phone-home"] },
  PLUGIN_NAME_TAKEN: { name: "webhook", plugins: ["webhook", "./webhook.ts"] },
  PLUGIN_FAILED: { plugin: "webhook", what: "vm.started", reason },
  PLUGIN_TIMED_OUT: { plugin: "webhook", what: "vm.started", limitMs: 10_000 },
  PERMISSION_DENIED: { plugin: "webhook", tool: "stop_vm", needs: "vm:write", permissions: ["vm:read"] },
  STORE_LOCKED: { path },
  STORE_READ_ONLY: { path },
  STORE_TOO_NEW: { path, found: "20271123", known: "20261123" },
  STORE_CORRUPT: { path, reason: "it is no database" },
  STORE_UNAVAILABLE: { path, reason: "permission denied" },
};
const errorOf = (code: ErrorCode) => new DomainError(code, examples[code] as never);

describe("DomainError", () => {
  test("DomainError has an example here for every code", () => {
    expect(Object.keys(examples).sort()).toEqual([...errorCodes].sort());
  });

  test.each(errorCodes)("DomainError %s says what failed and what would make it succeed", (code) => {
    const { message, hint } = errorOf(code);
    for (const text of [message, hint]) {
      expect(text).toMatch(/^[A-Z]/);
      expect(text).not.toMatch(/[.!]$/);
      expect(text).not.toMatch(
        /\b(?:can|won|don|isn|doesn|didn|wasn|couldn|shouldn|aren|hasn|haven)'t\b|\b(?:it|that|there|what)'s\b/i,
      );
      expect(text).not.toMatch(/undefined|\[object|NaN|null/);
      expect(text).not.toMatch(/\s{2}|\n/);
    }
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  test.each(errorCodes)("DomainError %s carries its details as data", (code) => {
    const error = errorOf(code);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "DomainError", code, details: examples[code] });
    expect(JSON.parse(JSON.stringify(error.details))).toEqual(examples[code]);
  });

  test.each(errorCodes)("DomainError %s has a next step that exists, or none on purpose", (code) => {
    expect(nextTool).toHaveProperty(code);
    const next = nextTool[code];
    if (next !== null) expect(allTools.map(({ name }) => name)).toContain(next);
  });

  test("DomainError keeps its cause", () => {
    const cause = new Error("virDomainCreate");
    expect(new DomainError("VM_TRANSIENT", { vm }, { cause }).cause).toBe(cause);
  });

  test("DomainError says that a list is empty", () => {
    expect(new DomainError("VM_NOT_FOUND", { vm, known: [] }).hint).toBe("Known VMs, nearest first: none");
    expect(errorOf("ISO_NOT_FOUND").hint).toContain("the library is empty");
  });

  test("DomainError offers accept only where every finding can be accepted", () => {
    const blank = finding("DISK_BLANK", "blank");
    const inUse = finding("DISK_IN_USE", "in use by db");
    const hintFor = (findings: ErrorDetails<"BLOCKED_BY_FINDINGS">["findings"]) =>
      new DomainError("BLOCKED_BY_FINDINGS", { vm, action: "start", findings }).hint;
    expect(hintFor([blank])).toContain('accept: ["DISK_BLANK"]');
    expect(hintFor([blank, inUse])).not.toContain("accept:");
    expect(hintFor([inUse])).toContain("cannot be overridden");
  });

  test("DomainError reads well where an action is blocked", () => {
    expect(errorOf("BLOCKED_BY_FINDINGS").message).toBe(
      'Cannot start VM "web": DISK_BLANK: the order is hd and the disk holds no data',
    );
  });
});

describe("refusalText()", () => {
  test("refusalText() says the code, what to do, which tool, and how the operation ended", () => {
    const error = errorOf("TRAY_LOCKED");
    error.outcome = { operation: "op-1", status: "failed", kept: ["grow disk vda to 40 GiB"] };
    const lines = refusalText(refusalOf(error)).split("\n");
    expect(lines[0]).toMatch(/^TRAY_LOCKED: Cannot open tray/);
    expect(lines[1]).toBe("Operation op-1: failed; stays done: grow disk vda to 40 GiB");
    expect(lines.at(-1)).toBe("Next: call detach_iso");
  });
});
