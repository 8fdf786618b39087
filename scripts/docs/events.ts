/** The meaning of each type of event, which no code contains. */
import { type EventType, eventTypes } from "../../src/domain/model/event.ts";
import { code, table } from "./markdown.ts";

/** When it happens, and what is in its `data` beside the operation's id, where an operation did it. */
const events: Record<EventType, readonly [when: string, data: string]> = {
  "vm.created": ["`create_vm` made it", "`name`, `boot_order`, `disk_path`, `iso_path`"],
  "vm.adopted": ["Bootwright took it under management", "`name`"],
  "vm.deleted": ["`delete_vm` removed it", "`name`"],
  "vm.renamed": ["`repair_vm` gave it another name", "`from`, `to`"],
  "vm.restored": ["its definition was put back", "`from_operation` and `was_gone`, or as `vm.created`"],
  "vm.reconciled": ["`repair_vm` made the record agree with the VM", "`from`, `to`"],
  "vm.started": ["it runs, started by any program", "`run`; from an operation `purpose` and `boot_device` too"],
  "vm.stopped": ["it no longer runs", "`run`, `reason`"],
  "vm.paused": ["a user paused it; its memory stays", "`run`"],
  "vm.resumed": ["it continues after a pause", "`run`"],
  "vm.rebooted": ["the guest was reset; one reboot is one event", "`run`, `reboots`"],
  "vm.crashed": ["the guest crashed", "`run`"],
  "vm.changed_elsewhere": [
    "another program defined, edited, renamed or removed it, or changed the medium of a drive while it runs",
    "`what`: `defined`, `redefined`, `renamed`, `undefined`, `media`; `from`, `to`, `drive`",
  ],
  "boot_order.changed": ["the boot order is another one", "`from`, `to`"],
  "media.attached": ["an ISO was put into a drive", "`drive`, `path`, `replaced`"],
  "media.detached": ["a drive was emptied", "`drive`, `path`"],
  "media.ejected_by_guest": ["the guest opened the tray", "`run`, `drive`, `path`"],
  "disk.resized": ["a disk was grown", "`disk`, `path`, `from_bytes`, `to_bytes`"],
  "disk.io_error": ["a disk could not be read or written", "`run`, `paused`, `disk`, `reason`"],
  "disk.space_low": ["the host has little space left for a disk", "`run`, `disk`, `free_bytes`"],
  "agent.connected": ["the guest's agent opened its channel, or reopened it; the agent may not answer yet", "`run`"],
  "console.opened": ["a user opened its console in a browser", "`console`, `by`"],
  "console.closed": ["its console was closed", "`console`, `by`, `reason`, `seconds`"],
  "installation.started": ["an installer was started", "`from`, `to`"],
  "installation.suggested": ["there is evidence that an installation is complete", "`run`, `evidence`"],
  "installation.completed": ["the OS was recorded as installed", "`from`, `to`; `evidence` if it was given"],
  "installation.failed": ["the installation was recorded as failed", "`from`, `to`"],
  "installation.cancelled": ["the installation was cancelled", "`from`, `to`"],
  "installation.restarted": ["an installed VM is installed again", "`from`, `to`"],
  "operation.rolled_back": ["a change failed and was undone", "`what`, `code`, `kept`, `left`"],
  "operation.failed": ["a change failed, and something of it stays", "`what`, `code`, `kept`, `left`"],
  "job.started": [
    "a job was begun",
    "`job`, `kind`, `title`; this and what follows about a VM where the job is about one",
  ],
  "job.progressed": ["another ten percent of a job are done", "`job`, `kind`, `title`, `percent`"],
  "job.succeeded": ["a job has succeeded", "`job`, `kind`, `title`"],
  "job.failed": ["a job has failed", "`job`, `kind`, `title`, `error`"],
  "job.cancelled": ["a job was cancelled and has stopped", "`job`, `kind`, `title`"],
  "operation.unknown": ["the outcome of a change is unknown", "`what`, `reason`"],
};

export const eventsTable = () =>
  table(
    ["type", "when", "data"],
    eventTypes.map((type) => [code(type), ...events[type]]),
  );
