/** The libvirt plugin with a limit of seconds for each call, for tests of a daemon that does not answer.
 * --connection local=…/short-call-limit-libvirt.ts,uri=… */

import { openSession } from "../../plugins/libvirt/session.ts";
import libvirt from "./short-late-limit-libvirt.ts";

/** A busy machine may take seconds to start a guest. */
export const CALL_LIMIT_MS = 6_000;

export default {
  ...libvirt,
  open: async (...[config, context]: Parameters<typeof libvirt.open>) =>
    openSession(config, context, { callLimitMs: CALL_LIMIT_MS }),
};
