/** VMs run by QEMU alone: one process for each, no daemon. */
import { z } from "zod";
import { definePlugin, PLUGIN_API } from "../../src/plugin.ts";
import { bootHandlers } from "./boot.ts";
import { openConsole } from "./console.ts";
import { diskHandlers } from "./disk.ts";
import { guestInfo } from "./guest.ts";
import { exportDefinition, importDefinition, lifecycleHandlers } from "./lifecycle.ts";
import { mediaHandlers } from "./media.ts";
import { hostOf, listVms, lookup, observeVm } from "./observe.ts";
import { powerHandlers } from "./power.ts";
import { openSession, type QemuSession } from "./session.ts";
import { watchVms } from "./watch.ts";

const paths = z.string().transform((text) => text.split(":").filter(Boolean));

export default definePlugin({
  manifest: { name: "qemu", api: PLUGIN_API, summary: "VMs run by QEMU alone: one process for each, no daemon" },
  config: z.strictObject({
    binary: z.string().min(1).default("qemu-system-x86_64").describe("The program that runs a VM"),
    vms: z.string().min(1).optional().describe("Directory of the definitions and of what belongs to running VMs"),
    images: z.string().min(1).optional().describe("Directory in which disks are made"),
    "iso-dirs": paths.optional().describe("Directories of ISOs, separated by colons"),
  }),
  open: async (config, context): Promise<QemuSession> => openSession(config, context),
  // The VMs run on.
  close: async (session) => session.closing.abort(),
  backend: {
    list: listVms,
    observe: observeVm,
    lookup,
    host: hostOf,
    exportDefinition,
    importDefinition,
    images: (session) => session.images,
    display: { console: openConsole },
    guest: { info: guestInfo },
    events: { watch: watchVms },
    changes: { ...lifecycleHandlers, ...powerHandlers, ...bootHandlers, ...mediaHandlers, ...diskHandlers },
  },
});
