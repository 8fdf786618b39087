/** Installation status, its transitions, and the purposes of a start. */
import { z } from "zod";
import { DomainError } from "../error.ts";

export const InstallationStatus = z
  .enum(["NotInstalled", "Installing", "Installed", "InstallationFailed"])
  .describe("The recorded status of the operating system's installation on the VM's own disk");
export type InstallationStatus = z.infer<typeof InstallationStatus>;

export const Purpose = z
  .enum(["install", "live", "rescue", "normal"])
  .describe("What the run is for; only install moves the installation status to Installing");
export type Purpose = z.infer<typeof Purpose>;

export const AtReboot = z
  .enum(["tell", "eject", "boot_disk"])
  .describe(
    "What loop-guard does when the installer reboots. tell: report it. eject: eject the ISO, so that the reset falls through to the disk. boot_disk: end the run, set the order hd and start again",
  );
export type AtReboot = z.infer<typeof AtReboot>;

export const transitions = {
  start_installation: { from: ["NotInstalled", "InstallationFailed"], to: "Installing", event: "installation.started" },
  complete: {
    from: ["Installing", "NotInstalled", "InstallationFailed"],
    to: "Installed",
    event: "installation.completed",
  },
  fail: { from: ["Installing"], to: "InstallationFailed", event: "installation.failed" },
  cancel: { from: ["Installing"], to: "NotInstalled", event: "installation.cancelled" },
  begin_reinstallation: { from: ["Installed"], to: "Installing", event: "installation.restarted" },
} as const satisfies Record<string, { from: readonly InstallationStatus[]; to: InstallationStatus; event: string }>;
export const Transition = z.enum(Object.keys(transitions) as [Transition, ...Transition[]]);
export type Transition = keyof typeof transitions;

/** The transitions that are legal from this status. */
export const legalFrom = (status: InstallationStatus): Transition[] =>
  (Object.keys(transitions) as Transition[]).filter((name) =>
    (transitions[name].from as readonly InstallationStatus[]).includes(status),
  );

/** The status after a transition.
 * @throws DomainError INSTALLATION_TRANSITION_ILLEGAL with the legal transitions. */
export function statusAfter(vm: string, status: InstallationStatus, transition: Transition): InstallationStatus {
  const legal = legalFrom(status);
  if (!legal.includes(transition)) {
    throw new DomainError("INSTALLATION_TRANSITION_ILLEGAL", { vm, status, transition, legal });
  }
  return transitions[transition].to;
}
