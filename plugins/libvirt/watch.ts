/** libvirt's events, as hints. An edit of a definition without a define (`virsh attach-disk --config`) has no event,
 * and neither has a change of a running VM's medium without a tray movement: only an observation finds these. */
import type { Hint } from "../../src/plugin.ts";
import { type DomainEvent, EVENT_KINDS, type EventStream, LIFECYCLE_EVENT } from "./client/libvirt.ts";
import { targetOfAlias } from "./domain-xml.ts";
import { untrustedText } from "./guest.ts";
import { type LibvirtSession, mapConnectionErrors, runOf } from "./session.ts";
import { domainSpace } from "./space.ts";

/** Reports hints until the signal ends it or the daemon is gone. A killed daemon is noticed at once, a silent one
 * within the keepalive's time.
 * @throws DomainError BACKEND_UNAVAILABLE when the daemon cannot be reached to begin with */
export async function watchDomains(
  session: LibvirtSession,
  notify: (hint: Hint) => void,
  signal: AbortSignal,
): Promise<void> {
  const events = await subscribe(session, signal);
  if (!events) return;
  const ending = new AbortController();
  const stop = () => void events.return();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const space = domainSpace(session, notify, ending.signal);
    const errors = ioErrors(session, notify, ending.signal);
    const all = () => {
      notify({});
      space.all();
    };
    all();
    for await (const event of events) {
      if (event.kind === "gap") {
        if (event.reason === "disconnected") return;
        all();
      } else if (event.kind === "blockThreshold") {
        space.passed(event);
      } else {
        notify(hintOf(session, event));
        if (event.kind === "ioErrorReason") errors.happened(event);
        if (isLifecycle(event, "started") || event.kind === "deviceAdded") space.started(event.domain);
        if (isLifecycle(event, "stopped")) space.stopped(event.domain.uuid);
      }
    }
  } finally {
    ending.abort();
    void events.return();
    signal.removeEventListener("abort", stop);
  }
}

const isLifecycle = (event: DomainEvent, what: keyof typeof LIFECYCLE_EVENT): boolean =>
  event.kind === "lifecycle" && event.event === LIFECYCLE_EVENT[what];

function hintOf(session: LibvirtSession, event: DomainEvent): Hint {
  const { uuid } = event.domain;
  const run = runOf(session, event.domain);
  // If a reset ends the run (`on_reboot` is destroy), libvirt only reports a shutdown.
  const reset = event.kind === "reboot" || (event.kind === "qemuShutdown" && event.reason === "guest-reset");
  return reset && run !== undefined ? { uuid, occurrence: { type: "rebooted", run } } : { uuid };
}

/** A stream of every kind of event; undefined when the signal has ended it. */
async function subscribe(session: LibvirtSession, signal: AbortSignal): Promise<EventStream | undefined> {
  try {
    return await mapConnectionErrors(session, () => session.libvirt.subscribe(EVENT_KINDS, { signal }));
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** Reports I/O errors with their device, which needs a query. A guest can have thousands a second, so errors during a
 * query about the same kind are dropped. */
function ioErrors(session: LibvirtSession, notify: (hint: Hint) => void, signal: AbortSignal) {
  const asked = new Set<string>();
  return {
    happened({ domain, alias, reason: said }: DomainEvent & { kind: "ioErrorReason" }): void {
      const run = runOf(session, domain);
      const key = [domain.uuid, alias, said].join("\n");
      if (run === undefined || asked.has(key)) return;
      asked.add(key);
      const reason = untrustedText(said);
      session.slowCalls
        .domainGetXmlDesc(domain, 0, { signal })
        .then((xml) => targetOfAlias(xml, alias))
        // The error is reported even without its device.
        .catch(() => undefined)
        .then((target) => {
          asked.delete(key);
          if (signal.aborted) return;
          const where = { ...(target !== undefined && { target }), ...(reason !== undefined && { reason }) };
          notify({ uuid: domain.uuid, occurrence: { type: "io_error", run, ...where } });
        });
    },
  };
}
