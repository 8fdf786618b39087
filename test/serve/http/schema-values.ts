/** Values that a JSON Schema takes, and some that it does not, for asking a server with. */
import fc from "fast-check";

export type Schema = Readonly<{
  type?: string;
  enum?: readonly unknown[];
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: Schema;
  maxItems?: number;
  anyOf?: readonly Schema[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
}>;

/** What nobody should send. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("../../etc/passwd", "%00", "__proto__", "' or 1=1 --", "<b>", "\u202e", "-1", "1e400", "null", ""),
  fc.constantFrom(-1, 0, 1e308, 2 ** 53, 0.1),
);

/** Mostly values that the schema takes. `known` are texts that mean something to the server. */
export function someOf(schema: Schema, known: readonly string[] = []): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: validOf(schema, known) }, { weight: 1, arbitrary: junk });
}

/** Values that the schema takes, as far as its patterns are simple. */
export function validOf(schema: Schema, known: readonly string[] = []): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => validOf(one, known)));
  if (schema.type === "boolean") return fc.boolean();
  if (schema.type === "integer" || schema.type === "number") {
    const [step, least] = [schema.multipleOf ?? 1, schema.minimum ?? 0];
    const most = Math.min(schema.maximum ?? 1_000, least + 200 * step);
    return fc.integer({ min: 0, max: Math.floor((most - least) / step) }).map((steps) => least + steps * step);
  }
  if (schema.type === "array") return fc.array(validOf(schema.items ?? {}, known), { maxLength: 3 });
  if (schema.type !== "string") return fc.jsonValue({ maxDepth: 1 });
  const plain = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  return known.length
    ? fc.oneof({ weight: 1, arbitrary: plain }, { weight: 3, arbitrary: fc.constantFrom(...known) })
    : plain;
}
