/** VMs run by libvirt's QEMU driver, through its own RPC protocol. */
import { z } from "zod";
import { definePlugin } from "../../src/plugin.ts";
import { bootHandlers } from "./boot.ts";
import { openConsole } from "./console.ts";
import { diskHandlers } from "./disk.ts";
import { guestInfo } from "./guest.ts";
import { importDefinition, lifecycleHandlers } from "./lifecycle.ts";
import { mediaHandlers } from "./media.ts";
import { hostOf, listVms, lookup, observeVm } from "./observe.ts";
import { powerHandlers } from "./power.ts";
import { inactiveXml, type LibvirtSession, openSession } from "./session.ts";
import { watchDomains } from "./watch.ts";

/** The longest time limit of any step, in milliseconds: a busy daemon may run a call long after it has read it. */
const LATE_MS = 120_000;

const paths = z.string().transform((text) => text.split(":").filter(Boolean));

export default definePlugin({
  manifest: { name: "libvirt", api: 1, summary: "VMs run by libvirt and QEMU, over the daemon's socket" },
  config: z.strictObject({
    uri: z
      .string()
      .default("qemu:///system")
      .describe("qemu:///system or qemu:///session, with ?socket=PATH for another socket"),
    images: z.string().optional().describe("Directory in which disks are made"),
    "iso-dirs": paths.optional().describe("Directories of ISOs, separated by colons"),
  }),
  open: async (config, context): Promise<LibvirtSession> => openSession(config, context),
  close: async ({ libvirt, slowCalls }) => void (await Promise.all([libvirt.close(), slowCalls.close()])),
  backend: {
    list: listVms,
    observe: observeVm,
    lookup,
    host: hostOf,
    exportDefinition: (session, uuid, signal) => inactiveXml(session, uuid, signal),
    importDefinition,
    images: (session) => session.images,
    display: { console: openConsole },
    guest: { info: guestInfo },
    events: { watch: watchDomains },
    callOutlivesCallerMs: LATE_MS,
    changes: { ...lifecycleHandlers, ...powerHandlers, ...bootHandlers, ...mediaHandlers, ...diskHandlers },
  },
});
