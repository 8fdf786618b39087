/** What each type of event tells, which no code says. */
import { type EventType, eventTypes } from "../../src/domain/model/event.ts";
import { code, table } from "./markdown.ts";

/** When it happens, and what is in its `data` beside the operation's id, where an operation did it. */
const events: Record<EventType, readonly [when: string, data: string]> = {
  "vm.created": ["`create_vm` made it", "`name`, `boot_order`, `disk_path`, `iso_path`"],
  "vm.adopted": ["it was taken under management", "`name`"],
  "vm.deleted": ["`delete_vm` removed it", "`name`"],
  "vm.renamed": ["`repair_vm` gave it another name", "`from`, `to`"],
  "vm.restored": ["its definition was put back", "`from_operation` and `was_gone`, or as `vm.created`"],
  "vm.reconciled": ["`repair_vm` made the record agree with what is there", "`from`, `to`"],
  "vm.started": ["it runs, whoever started it", "`run`; from an operation `purpose` and `boot_device` too"],
  "vm.stopped": ["it no longer runs", "`run`, `reason`"],
  "vm.paused": ["somebody halted it; its memory stays", "`run`"],
  "vm.resumed": ["it goes on where it was halted", "`run`"],
  "vm.rebooted": ["the guest was reset; one reboot is one event", "`run`, `reboots`"],
  "vm.crashed": ["the guest crashed", "`run`"],
  "vm.changed_elsewhere": [
    "another program defined, edited, renamed or removed it, or changed what is in a drive of it while it runs",
    "`what`: `defined`, `redefined`, `renamed`, `undefined`, `media`; `from`, `to`, `drive`",
  ],
  "boot_order.changed": ["the boot order is another one", "`from`, `to`"],
  "media.attached": ["an ISO was put into a drive", "`drive`, `path`, `replaced`"],
  "media.detached": ["a drive was emptied", "`drive`, `path`"],
  "media.ejected_by_guest": ["the guest opened the tray", "`run`, `drive`, `path`"],
  "disk.resized": ["a disk was grown", "`disk`, `path`, `from_bytes`, `to_bytes`"],
  "disk.io_error": ["a disk could not be read or written", "`run`, `paused`, `disk`, `reason`"],
  "disk.space_low": ["the host has little space left for a disk", "`run`, `disk`, `free_bytes`"],
  "agent.connected": [
    "the guest's agent opened its channel, and again each time after it closed it; that it answers is not said",
    "`run`",
  ],
  "console.opened": ["somebody opened its screen and keyboard in a browser", "`console`, `by`"],
  "console.closed": ["that ended", "`console`, `by`, `reason`, `seconds`"],
  "installation.started": ["an installer was started", "`from`, `to`"],
  "installation.suggested": ["there is evidence that an installation is complete", "`run`, `evidence`"],
  "installation.completed": ["the OS was recorded as installed", "`from`, `to`; `evidence` where it was given"],
  "installation.failed": ["the installation was recorded as failed", "`from`, `to`"],
  "installation.cancelled": ["the installation was called off", "`from`, `to`"],
  "installation.restarted": ["an installed VM is installed again", "`from`, `to`"],
  "operation.rolled_back": ["a change failed and was undone", "`what`, `code`, `kept`, `left`"],
  "operation.failed": ["a change failed, and something of it stays", "`what`, `code`, `kept`, `left`"],
  "job.started": [
    "a job was begun",
    "`job`, `kind`, `title`; this and what follows about a VM where the job is about one",
  ],
  "job.progressed": ["ten percent more of a job are done", "`job`, `kind`, `title`, `percent`"],
  "job.succeeded": ["a job has done its work", "`job`, `kind`, `title`"],
  "job.failed": ["a job has failed", "`job`, `kind`, `title`, `error`"],
  "job.cancelled": ["a job was cancelled, and has stopped", "`job`, `kind`, `title`"],
  "operation.unknown": ["nobody can tell how a change ended", "`what`, `reason`"],
};

export const eventsTable = () =>
  table(
    ["type", "when", "data"],
    eventTypes.map((type) => [code(type), ...events[type]]),
  );
