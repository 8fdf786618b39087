/** A TPM of the VM's own, by swtpm: a process beside QEMU's, which ends when QEMU closes its socket. */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { describeFailure, runToExit } from "./program.ts";
import type { VmPaths } from "./vm-paths.ts";

const START_LIMIT_MS = 15_000;

/** Starts the VM's swtpm. @throws Error when swtpm is missing or does not start */
export async function startTpm(paths: VmPaths): Promise<void> {
  await mkdir(paths.tpm, { recursive: true, mode: 0o700 });
  const args = [
    ...["socket", "--tpm2", "--tpmstate", `dir=${paths.tpm},mode=0600`],
    ...["--ctrl", `type=unixio,path=${paths.tpmSocket},mode=0600`],
    ...["--terminate", "--daemon"],
  ];
  const ended = await runToExit("swtpm", args, { timeoutMs: START_LIMIT_MS });
  if (ended.code !== 0) throw new Error(describeFailure("swtpm", ended, START_LIMIT_MS));
}

/** CMD_SHUTDOWN of swtpm's control channel (tpm_ioctl.h). */
const SHUTDOWN = Buffer.from([0, 0, 0, 3]);

/** Ends a TPM that QEMU never connected to. */
export async function endTpm(paths: VmPaths): Promise<void> {
  const socket = connect(paths.tpmSocket);
  // No process listens there if it was not started, or if QEMU was connected.
  socket.on("error", () => undefined);
  socket.setTimeout(1_000, () => socket.destroy());
  socket.end(SHUTDOWN);
  await once(socket, "close");
}
