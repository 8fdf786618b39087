/** The rows of managed VMs. */
import { raw } from "@mikro-orm/core";
import type { Target } from "../domain/model/vm.ts";
import type { VmRecord } from "../domain/model/vm-record.ts";
import { VmRow, vmColumns } from "./entities.ts";
import { recordOf, vmValues } from "./mapping.ts";
import type { Database, SqlSession } from "./ports.ts";

export const createRecordStore = (database: Database) => ({
  async record(target: Target): Promise<VmRecord | undefined> {
    const [row] = await database.read((em) => rows(em, keyOf(target)));
    return row && recordOf(row);
  },

  async records(connection?: string): Promise<VmRecord[]> {
    return (await database.read((em) => rows(em, connection === undefined ? {} : { connection }))).map(recordOf);
  },
});

/** Reads the columns by name: an upgraded table has others, too, with values that JavaScript may not represent. */
const rows = async (em: SqlSession, where: Partial<Target>): Promise<VmRow[]> => {
  const fields = vmColumns as (keyof VmRow & string)[];
  return (await em.find(VmRow, where, { fields, orderBy: { connection: 1, name: 1, uuid: 1 } })) as unknown as VmRow[];
};

/** Writes the row, within the transaction of the change that causes it. */
export async function putRecord(em: SqlSession, record: VmRecord, at: string): Promise<void> {
  const values = { ...vmValues(record), updatedAt: at };
  const changed = await em.nativeUpdate(VmRow, keyOf(record), {
    ...values,
    version: raw("version + 1") as unknown as number,
  });
  if (changed === 0) await insertRecord(em, record, at);
}

const insertRecord = (em: SqlSession, record: VmRecord, at: string) =>
  em.insert(VmRow, { ...keyOf(record), ...vmValues(record), createdAt: record.createdAt, updatedAt: at, version: 1 });

export const removeRecord = (em: SqlSession, target: Target) => em.nativeDelete(VmRow, keyOf(target));

/** Only the key: a caller's target may be a larger object. */
export const keyOf = ({ connection, uuid }: Target): Target => ({ connection, uuid });

/** The key as one text. */
export const keyText = ({ connection, uuid }: Target): string => JSON.stringify([connection, uuid]);
