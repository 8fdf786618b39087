/** Boot order. */
import type { BackendDefinition } from "../../src/plugin.ts";
import { changed } from "./definition.ts";
import { edit } from "./definitions.ts";
import type { QemuSession } from "./session.ts";

export const bootHandlers: BackendDefinition<QemuSession>["changes"] = {
  "boot_order.set": {
    // QEMU gives the order to the firmware only at its start.
    running: "next_start",
    apply: (session, vm, { boot }, context) =>
      edit(session, vm!, context, (definition) =>
        changed(definition, { boot: { style: boot.style, entries: [...boot.entries] } }),
      ),
  },
};
