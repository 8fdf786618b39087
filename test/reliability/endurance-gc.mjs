// Loaded into a server process before its own modules: on SIGUSR2 it collects garbage and writes what is left of the heap.
import { writeFileSync } from "node:fs";

process.on("SIGUSR2", () => {
  globalThis.gc();
  writeFileSync(process.env.BOOTWRIGHT_TEST_HEAP, String(process.memoryUsage().heapUsed));
});
