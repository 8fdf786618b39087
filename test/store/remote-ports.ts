/** The three ports of another process: what it reads and writes is a value under a key. */
import { SettingRow } from "../../src/store/entities.ts";
import type { Database, SqlSession } from "../../src/store/ports.ts";
import type { StorePorts } from "../../src/store/store.ts";
import type { Calls, Methods } from "./remote-calls.ts";

/** Ports, as far as another process can be asked to use them. */
export type PortsUser = Readonly<{
  id(): Promise<string>;
  hold(): Promise<void>;
  isAlive(id: string): Promise<boolean>;
  put(key: string, value: unknown): Promise<void>;
  get(key: string): Promise<unknown>;
  /** Reads a number and writes the next one, in one transaction. */
  count(key: string): Promise<number>;
  close(): Promise<void>;
}>;

export function userOf({ database, liveness, changes }: StorePorts): PortsUser {
  const written = async <T>(work: Parameters<Database["write"]>[0]): Promise<T> => {
    const result = await database.write(work);
    changes.notify();
    return result as T;
  };
  return {
    id: async () => liveness.id,
    hold: () => liveness.hold(),
    isAlive: (id) => liveness.isAlive(id),
    put: (key, value) => written((em) => putValue(em, key, value)),
    get: (key) => database.read((em) => getValue(em, key)),
    count: (key) =>
      written(async (em) => {
        const next = (((await getValue(em, key)) as number | undefined) ?? 0) + 1;
        await putValue(em, key, next);
        return next;
      }),
    async close() {
      await changes.close();
      await database.close();
      await liveness.close();
    },
  };
}

export async function putValue(em: SqlSession, key: string, value: unknown): Promise<void> {
  if ((await em.nativeUpdate(SettingRow, { key }, { value })) === 0) await em.insert(SettingRow, { key, value });
}

export const getValue = async (em: SqlSession, key: string): Promise<unknown> =>
  (await em.findOne(SettingRow, { key }))?.value;

/** What a process answers that lends its ports. */
export const portsMethods = (ports: StorePorts): Methods => userOf(ports) as unknown as Methods;

/** The ports of a process that lends them. */
export const portsOver = ({ call }: Calls): PortsUser => {
  const method =
    (name: string) =>
    (...values: unknown[]) =>
      call(name, ...values) as Promise<never>;
  return {
    id: method("id"),
    hold: method("hold"),
    isAlive: method("isAlive"),
    put: method("put"),
    get: method("get"),
    count: method("count"),
    close: method("close"),
  };
};
