/** Boot order. */
import type { BackendDefinition } from "../../src/plugin.ts";
import { changed } from "./definition.ts";
import { edit } from "./definitions.ts";
import type { QemuSession } from "./session.ts";

export const bootHandlers: BackendDefinition<QemuSession>["changes"] = {
  "boot_order.set": {
    // QEMU hands the order to the firmware when it is started, and never again.
    running: "next_start",
    apply: (session, vm, { boot }, context) =>
      edit(session, vm!, context, (definition) =>
        changed(definition, { boot: { style: boot.style, entries: [...boot.entries] } }),
      ),
  },
};
