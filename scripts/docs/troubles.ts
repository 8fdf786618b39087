/** Refusals as somebody meets them, for the page on troubleshooting: the program's own words about likely things. */
import { DomainError } from "../../src/domain/error.ts";
import { finding } from "../../src/domain/model/finding.ts";
import { refusalOf, refusalText } from "../../src/tools/respond.ts";
import { fenced } from "./markdown.ts";

const iso = "/home/kim/isos/debian-13.iso";
const unreadable = finding("ISO_UNREADABLE", `the hypervisor cannot read ${iso}: /home/kim denies access`);
const truncated = finding(
  "ISO_TRUNCATED",
  "/srv/isos/debian-13.iso is shorter than its volume: its copy was cut off, or is not finished",
);

const refusals = {
  "iso-outside": new DomainError("ISO_OUTSIDE_LIBRARY", { path: iso, directories: ["/srv/isos"] }),
  "iso-not-found": new DomainError("ISO_NOT_FOUND", { iso: "debian13.iso", known: ["debian-13.iso", "alpine.iso"] }),
  "iso-truncated": new DomainError("BLOCKED_BY_FINDINGS", {
    vm: "web",
    action: "attach an ISO to",
    findings: [truncated],
  }),
  "iso-unreadable": new DomainError("BLOCKED_BY_FINDINGS", {
    vm: "web",
    action: "attach an ISO to",
    findings: [unreadable],
  }),
  "open-failed": new DomainError("BACKEND_FAILED", {
    connection: "local",
    change: "power.start",
    reason: `internal error: process exited while connecting to monitor: … Could not open '${iso}': Permission denied`,
  }),
  "socket-refused": new DomainError("BACKEND_UNAVAILABLE", {
    connection: "local",
    reason:
      "Cannot authenticate at libvirt's daemon with polkit: authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'",
  }),
  "vm-busy": new DomainError("VM_BUSY", {
    vm: "web",
    holder: "http:main",
    what: "stop_vm",
    since: "2026-11-26T10:04:11.000Z",
    waitedMs: 10_000,
  }),
  "no-kvm": new DomainError("BACKEND_FAILED", {
    connection: "local",
    change: "vm.create",
    reason: "a probe guest does not run under KVM on this host; use acceleration auto or tcg",
  }),
  "shutdown-timed-out": new DomainError("SHUTDOWN_TIMED_OUT", { vm: "web", waitedMs: 60_000 }),
  "tray-locked": new DomainError("TRAY_LOCKED", { vm: "web", drive: "sda" }),
  "outcome-unknown": new DomainError("OUTCOME_UNKNOWN", {
    vm: "web",
    operation: "7e65cd6a-1127-4a72-a05f-30a99f36a02f",
    reason: "the hypervisor did not answer",
  }),
  "store-too-new": new DomainError("STORE_TOO_NEW", {
    path: "/root/.local/state/bootwright/bootwright.sqlite",
    found: "20270101-later",
    known: "20261126-served",
  }),
} satisfies Record<string, DomainError>;

export const troubles: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(refusals).map(([name, error]) => [name, fenced(refusalText(refusalOf(error)), "text")]),
);
