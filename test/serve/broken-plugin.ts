/** A backend whose one VM is none: its power state is no word that there is. What Bootwright makes of it is a defect. */
import memory from "../../plugins/memory/index.ts";
import { definePlugin, definitionFor } from "../../src/plugin.ts";

const uuid = "11111111-1111-4111-8111-111111111111";
const next = definitionFor({
  uuid,
  name: "odd",
  memoryBytes: 1024 ** 3,
  cpus: 1,
  firmware: "bios",
  tpm: false,
  diskPath: "/memory/images/odd.qcow2",
  diskBus: "virtio",
  diskTarget: "vda",
  driveTarget: "sda",
  network: "none",
  order: "hd",
  serialLog: "/memory/images/odd.log",
  acceleration: "tcg",
  claim: { uuid, revision: 1, status: "NotInstalled" },
});
const odd = {
  uuid,
  name: "odd",
  power: "asleep" as "off",
  persistent: true,
  savedState: false,
  next,
  accelerator: "none",
  fingerprint: "",
} as const;

export default definePlugin({
  ...memory,
  manifest: { ...memory.manifest, name: "broken" },
  backend: {
    ...memory.backend!,
    list: async () => [odd],
    observe: async () => odd,
    lookup: async () => uuid,
  },
});
