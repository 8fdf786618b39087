/** The libvirt plugin with less patience, for tests of a daemon that does not answer:
 * --connection local=…/impatient-libvirt.ts,uri=… */

import { openSession } from "../../plugins/libvirt/session.ts";
import libvirt from "./brief-libvirt.ts";

/** A busy machine may take seconds to start a guest. */
export const CALL_LIMIT_MS = 6_000;

export default {
  ...libvirt,
  open: async (...[config, context]: Parameters<typeof libvirt.open>) =>
    openSession(config, context, { callLimitMs: CALL_LIMIT_MS }),
};
