/** The libvirt plugin for tests that lose calls or strike the daemon: a call whose answer was lost counts as one that may
 * still happen for seconds, not for minutes. --connection local=…/short-late-limit-libvirt.ts,uri=… */

import libvirt from "../../plugins/libvirt/index.ts";

/** A busy machine may take seconds to start a guest. */
export const LATE_MS = 10_000;

export default { ...libvirt, backend: { ...libvirt.backend, callOutlivesCallerMs: LATE_MS } };
