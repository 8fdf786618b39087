/** VMs in memory that have a screen: that of a VNC server on this host. --connection local=…/screened-plugin.ts,screen=PORT */
import { z } from "zod";
import memory from "../../plugins/memory/index.ts";
import type { Session } from "../../plugins/memory/machine.ts";
import { definePlugin, openVnc } from "../../src/plugin.ts";

const screens = new WeakMap<Session, number>();

export default definePlugin<{ screen: number; config: z.infer<typeof memory.config> }, Session>({
  manifest: { ...memory.manifest, name: "screened" },
  config: z.looseObject({ screen: z.coerce.number() }).transform(({ screen, ...guest }) => ({
    screen,
    config: memory.config.parse(guest),
  })),
  async open({ screen, config }, context) {
    const session = await memory.open(config, context);
    screens.set(session, screen);
    return session;
  },
  close: memory.close,
  backend: {
    ...memory.backend!,
    display: {
      console: (session, vm, signal) => openVnc({ host: "127.0.0.1", port: screens.get(session)! }, { vm, signal }),
    },
  },
});
