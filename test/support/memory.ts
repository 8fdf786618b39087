/** Servers on VMs in memory, each with a directory of its own; they end with the test or the file that opened them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished, vi } from "vitest";

// On a machine that also runs guests a process may take seconds to start.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

/** Makes a directory that is removed with the test, or with the file. */
export function temporaryDirectory(until: "test" | "file" = "test"): string {
  const directory = mkdtempSync(join(tmpdir(), "bootwright-test-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  if (until === "file") afterAll(remove);
  else onTestFinished(remove);
  return directory;
}

/** Returns the settings of a server on VMs in memory; `guest` are settings of the connection, `shutdownMs=5` say. */
export const memorySettings = (data: string, ...guest: readonly string[]): string[] => [
  ...["--data", data],
  ...["--connection", ["local=memory", ...guest].join(",")],
];
