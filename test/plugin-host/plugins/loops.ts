/** Never ends once a VM was made. */
import { definePlugin } from "../../../src/plugin.ts";

export default definePlugin({
  manifest: { name: "loops", api: 1, summary: "Never ends", limitMs: 500 },
  on: {
    "vm.created": () => {
      for (;;);
    },
  },
});
