/** Past operations, and the definitions from before them. A list never loads the definitions, which may be large. */
import type { Operation } from "../domain/changes/operation.ts";
import { DomainError } from "../domain/error.ts";
import type { Target } from "../domain/model/vm.ts";
import type { KeptDefinition, OperationQuery } from "../domain/ports/store.ts";
import { OperationRow, operationColumns } from "./entities.ts";
import { holding, operationsOf } from "./open-operations.ts";
import type { Database, SqlSession } from "./ports.ts";
import { keyOf } from "./records.ts";

/** `octet_length` reads a text's size from the head of its row, without the text itself. */
const definitionList = `select id as operation, what, begun_at as "begunAt", octet_length(definition) as bytes from operations
  where connection = ? and uuid = ? and definition is not null order by begun_at desc, id desc limit ?`;

/** The tools that create or delete a VM. Reading the steps of every operation instead would take long. */
const makesOrDeletes = ["create_vm", "delete_vm"];

export const createOperationHistory = (database: Database) => ({
  async operations({ target, connection, status, before, limit }: OperationQuery): Promise<Operation[]> {
    if (limit < 1) return [];
    const where = {
      ...(connection !== undefined && { connection }),
      ...(status && { status: { $in: [...status] } }),
    };
    const fields = operationColumns as (keyof OperationRow & string)[];
    return database.read(async (em) => {
      const page = before === undefined ? {} : await behind(em, before);
      const held = target ? [await holding(em, [target])] : [];
      const found = await em.find(
        OperationRow,
        { $and: [where, page, ...held] },
        { fields, orderBy: { begunAt: -1, id: -1 }, limit },
      );
      return operationsOf(em, found as unknown as OperationRow[]);
    });
  },

  async lastNamed(name: string, connections: readonly string[]): Promise<Target | undefined> {
    const where = { what: { $in: makesOrDeletes }, name, connection: { $in: [...connections] } };
    const [row] = await database.read((em) =>
      em.find(OperationRow, where, { fields: ["connection", "uuid"], orderBy: { begunAt: -1, id: -1 }, limit: 1 }),
    );
    return row && keyOf(row);
  },

  definitions(target: Target, limit: number): Promise<KeptDefinition[]> {
    const values = [target.connection, target.uuid, Math.max(0, limit)];
    return database.read((em) => em.execute<KeptDefinition[]>(definitionList, values));
  },

  async definition(operation: string): Promise<string | undefined> {
    const row = await database.read((em) => em.findOne(OperationRow, { id: operation }, { fields: ["definition"] }));
    return row?.definition ?? undefined;
  },
});

/** The condition for operations behind this one, newest first. */
async function behind(em: SqlSession, id: string) {
  const row = await em.findOne(OperationRow, { id }, { fields: ["begunAt"] });
  if (!row) throw new DomainError("OPERATION_NOT_FOUND", { operation: id });
  const { begunAt } = row;
  return { begunAt: { $lte: begunAt }, $or: [{ begunAt: { $lt: begunAt } }, { id: { $lt: id } }] };
}
