/** The space of running VMs' images, by QEMU's write thresholds. */
import { type Hint, type SpaceWatch, watchSpace } from "../../src/plugin.ts";
import { fileNode } from "./command-line.ts";
import { startedOf } from "./process.ts";
import { NotListening } from "./qmp/client.ts";
import type { QemuSession } from "./session.ts";

/** Reports `space_low` for the VMs that it is given. */
export const machineSpace = (
  session: QemuSession,
  notify: (hint: Hint) => void,
  signal: AbortSignal,
): SpaceWatch<Readonly<{ uuid: string }>> =>
  watchSpace({
    host: session.host,
    async imagesOf({ uuid }) {
      const started = await startedOf(session, uuid);
      return started && { run: started.run, images: started.definition.disks.filter(({ readOnly }) => !readOnly) };
    },
    arm: ({ uuid }, target, offsetBytes) =>
      session.withQmp(uuid, { signal }, (qmp) =>
        qmp.execute(
          "block-set-write-threshold",
          { "node-name": fileNode(target), "write-threshold": Number(offsetBytes) },
          signal,
        ),
      ),
    isOver: (error) => error instanceof NotListening,
    notify,
    log: session.context.log,
    signal,
  });
