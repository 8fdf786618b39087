/** VMs in memory with something in them from the start, and a file of commands by which a test has guests
 * and other programs act in the server's process. Named by its path: --connection local=…/seeded-plugin.ts,seed=FILE */
import { readFileSync, rmSync } from "node:fs";
import { z } from "zod";
import memory from "../../plugins/memory/index.ts";
import type { Session } from "../../plugins/memory/machine.ts";
import { type BootConfig, DomainError, definePlugin, type VmDefinition } from "../../src/plugin.ts";
import * as outside from "./simulator.ts";

/** The hypervisor's behaviour when it is looked at: it answers, refuses, or never returns. */
type Manner = "answers" | "refuses" | "hangs";
const manners = new WeakMap<Session, Manner>();

/** The kinds of change that it refuses to make. */
const refused = new WeakMap<Session, readonly string[]>();

const actions = {
  ...outside,
  setRefused: (session: Session, kinds: readonly string[]) => void refused.set(session, kinds),
  setManner: (session: Session, manner: Manner) => void manners.set(session, manner),
  setBoot: (session: Session, uuid: string, boot: BootConfig) =>
    outside.editDefinition(session, uuid, (next) => ({ ...next, boot })),
  edit: (session: Session, uuid: string, part: Partial<VmDefinition>) =>
    outside.editDefinition(session, uuid, (next) => ({ ...next, ...part })),
};
export type Actions = {
  [K in keyof typeof actions]: Parameters<(typeof actions)[K]> extends [Session, ...infer Rest] ? Rest : never;
};
export type Command = { [K in keyof Actions]: [K, ...Actions[K]] }[keyof Actions];

const commandFiles = new WeakMap<Session, string>();
export const commandFileOf = (seed: string) => `${seed}.commands.json`;

function runCommands(session: Session): Session {
  const path = commandFiles.get(session)!;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
    rmSync(path);
  } catch {
    return session;
  }
  for (const [name, ...args] of JSON.parse(text) as [keyof typeof actions, ...unknown[]][]) {
    (actions[name] as (session: Session, ...rest: unknown[]) => unknown)(session, ...args);
  }
  return session;
}

const backend = memory.backend!;
type Handler = { running: string; apply: (session: Session, ...given: unknown[]) => Promise<void> };
const changes = Object.fromEntries(
  Object.entries(backend.changes as Record<string, Handler>).map(([kind, handler]) => {
    const apply: Handler["apply"] = async (session, ...given) => {
      if (refused.get(session)?.includes(kind)) throw new Error("Device or resource busy");
      await handler.apply(session, ...given);
    };
    return [kind, { ...handler, apply }];
  }),
) as typeof backend.changes;
export default definePlugin<{ seed: string; config: z.infer<typeof memory.config> }, Session>({
  manifest: { ...memory.manifest, name: "seeded" },
  config: z.looseObject({ seed: z.string() }).transform(({ seed, ...guest }) => {
    const seeded = JSON.parse(readFileSync(seed, "utf8")) as object;
    return { seed, config: memory.config.parse({ ...seeded, ...guest }) };
  }),
  async open({ seed, config }, context) {
    const session = await memory.open(config, context);
    commandFiles.set(session, commandFileOf(seed));
    return session;
  },
  close: memory.close,
  backend: {
    ...backend,
    changes,
    list: async (session, signal) => backend.list(await answering(session), signal),
    observe: async (session, uuid, signal) => backend.observe(await answering(session), uuid, signal),
    lookup: async (session, name, signal) => backend.lookup(await answering(session), name, signal),
  },
});

async function answering(session: Session): Promise<Session> {
  runCommands(session);
  const manner = manners.get(session) ?? "answers";
  if (manner === "hangs") await new Promise(() => {});
  if (manner === "refuses")
    throw new DomainError("BACKEND_UNAVAILABLE", { connection: session.connection, reason: "it was told to refuse" });
  return session;
}
