/** VMs in memory: the reference backend, the tests' double, and the example to copy. Everything is gone when the
 * process ends. `test/support/simulator.ts` simulates external events (the guest, other programs). */
import { z } from "zod";
import {
  type ApplyContext,
  ClaimTag,
  DomainError,
  definePlugin,
  normaliseDefinition,
  PLUGIN_API,
} from "../../src/plugin.ts";
import { changes } from "./changes.ts";
import { Config, Definition, Guest } from "./config.ts";
import { startMachine } from "./guest.ts";
import { hostOf } from "./host.ts";
import { imagesOf, writeFile } from "./images.ts";
import { fingerprintOf, type Machine, type Session, viewOf } from "./machine.ts";
import { notify } from "./notify.ts";
import { bringUpToDate } from "./observe.ts";
import { guestInfo, notifying, watchVms } from "./watch.ts";

const Kept = z.object({
  uuid: z.string(),
  name: z.string(),
  next: Definition,
  claim: ClaimTag.exactOptional(),
  guest: Guest,
});

export default definePlugin<Config, Session>({
  manifest: { name: "memory", api: PLUGIN_API, summary: "VMs in memory, for tests and for trying things out" },
  config: Config,

  async open(config, { connection, signal, fingerprint, defaults }) {
    const closing = new AbortController();
    const imageDirectory = config.images ?? defaults.images ?? "/memory/images";
    const isoDirectories = config.isoDirectories ?? defaults.isoDirectories ?? ["/memory/isos"];
    const session: Session = {
      connection,
      imageDirectory,
      isoDirectories,
      resources: { memoryBytes: config.memoryBytes, cpus: config.cpus },
      spaceBytes: config.spaceBytes,
      guest: Guest.parse(config),
      machines: new Map(),
      files: new Map(),
      links: new Map(config.links.map(({ path, to }) => [path, to])),
      watchers: new Set(),
      fingerprint,
      closing,
      signal: AbortSignal.any([signal, closing.signal]),
      count: 0,
      aheadMs: 0,
    };
    for (const iso of config.isos) {
      const path = iso.path.includes("/") ? iso.path : `${isoDirectories[0] ?? imageDirectory}/${iso.path}`;
      writeFile(session, { ...iso, kind: "iso", path });
    }
    for (const disk of config.disks) writeFile(session, { ...disk, kind: "disk" });
    for (const { running, guest, next, ...seed } of config.vms) {
      const machine: Machine = { ...seed, next: normaliseDefinition(next), guest: { ...session.guest, ...guest } };
      session.machines.set(machine.uuid, machine);
      if (running) startMachine(session, machine, "normal");
    }
    return session;
  },

  async close(session) {
    session.closing.abort();
  },

  backend: {
    async list(session, signal) {
      bringUpToDate(session, signal);
      const vms = [...session.machines.values()].map((machine) => viewOf(session, machine));
      return vms.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async observe(session, uuid, signal) {
      bringUpToDate(session, signal);
      const machine = session.machines.get(uuid);
      return machine && viewOf(session, machine);
    },
    async lookup(session, name, signal) {
      bringUpToDate(session, signal);
      return [...session.machines.values()].find((machine) => machine.name === name)?.uuid;
    },
    async host(session, signal) {
      bringUpToDate(session, signal);
      return hostOf(session).resources();
    },
    async exportDefinition(session, uuid, signal) {
      bringUpToDate(session, signal);
      const machine = session.machines.get(uuid);
      if (!machine) throw new DomainError("VM_NOT_FOUND", { vm: uuid, known: [...session.machines.keys()] });
      const { name, next, claim, guest } = machine;
      return JSON.stringify({ uuid, name, next, ...(claim && { claim }), guest } satisfies z.input<typeof Kept>);
    },
    async importDefinition(session, uuid, definition, { expect, signal }: ApplyContext) {
      bringUpToDate(session, signal);
      const { claim, ...saved } = Kept.parse(JSON.parse(definition));
      if (saved.uuid !== uuid) throw new Error(`the definition is one of VM ${saved.uuid}`);
      const machine = session.machines.get(uuid);
      if ((machine && fingerprintOf(session, machine)) !== expect)
        throw new DomainError("VM_CHANGED_MEANWHILE", { vm: saved.name });
      const taken = [...session.machines.values()].find((other) => other.name === saved.name && other.uuid !== uuid);
      if (taken)
        throw new DomainError("VM_EXISTS", { name: saved.name, connection: session.connection, uuid: taken.uuid });
      const { claim: _old, ...rest } = machine ?? { persistent: true };
      session.machines.set(uuid, { ...rest, ...saved, ...(claim && { claim }) });
      notify(session, uuid);
    },
    images: (session) => imagesOf(session),
    guest: {
      async info(session, uuid, signal) {
        bringUpToDate(session, signal);
        return guestInfo(session, uuid);
      },
    },
    events: { watch: watchVms },
    changes: notifying(changes),
  },
});
