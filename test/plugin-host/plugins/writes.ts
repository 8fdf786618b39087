/** Writes to file descriptors once a VM was made. */
import { writeSync } from "node:fs";
import { definePlugin } from "../../../src/plugin.ts";

export default definePlugin({
  manifest: { name: "writes", api: 1, summary: "Writes to file descriptors" },
  on: {
    "vm.created": () => {
      writeSync(1, "to 1\n");
      writeSync(2, "to 2\n");
    },
  },
});
