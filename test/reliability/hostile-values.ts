/** Arguments for calls, made from the JSON schemas that the tools publish: right ones, and ones that are wrong in every
 * way that JSON allows. `fits` says which is which without the server's own schemas. */
import fc from "fast-check";

export type Schema = Readonly<{
  type?: string;
  enum?: readonly unknown[];
  const?: unknown;
  anyOf?: readonly Schema[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
}>;
export type ToolSchema = Readonly<{ name: string; inputSchema: Schema }>;
export type HostileCall = Readonly<{ tool: string; args: unknown; how: string }>;

/** Returns texts that mean something to the server in an argument of this name; read anew for each call. */
export type Known = Readonly<Record<string, () => readonly string[]>>;

/** Checks a value against a published input schema. Lengths are counted in UTF-16 units, as JavaScript does. */
export function fits(schema: Schema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some((one) => fits(one, value));
  if (schema.const !== undefined) return value === schema.const;
  if (schema.enum && !schema.enum.includes(value)) return false;
  switch (schema.type) {
    case "string":
      return (
        typeof value === "string" &&
        value.length >= (schema.minLength ?? 0) &&
        value.length <= (schema.maxLength ?? Infinity) &&
        (schema.pattern === undefined || new RegExp(schema.pattern).test(value))
      );
    case "integer":
    case "number":
      return (
        typeof value === "number" &&
        value >= (schema.minimum ?? -Infinity) &&
        value <= (schema.maximum ?? Infinity) &&
        value % (schema.type === "integer" ? 1 : (schema.multipleOf ?? Number.MIN_VALUE)) === 0
      );
    case "boolean":
      return typeof value === "boolean";
    case "array":
      return (
        Array.isArray(value) &&
        value.length <= (schema.maxItems ?? Infinity) &&
        value.every((item) => fits(schema.items ?? {}, item))
      );
    case "object":
      return (
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        (schema.required ?? []).every((name) => Object.hasOwn(value, name)) &&
        Object.entries(value).every(([name, inner]) => {
          const own = schema.properties ?? {};
          return Object.hasOwn(own, name) && fits(own[name]!, inner);
        })
      );
    default:
      return true;
  }
}

const MEGABYTE = 1 << 20;

/** Texts that mean harm wherever they are not taken for text. `bait` is a directory that nobody may touch. */
export const hostileTexts = (bait: string): readonly string[] => [
  "../../etc/passwd",
  `${"../".repeat(40)}etc/passwd`,
  "/etc/passwd",
  "/etc/shadow",
  "/proc/self/environ",
  "/dev/zero",
  "/dev/null",
  "//etc//passwd",
  "/.",
  "/..",
  ".",
  "..",
  "~/.ssh/id_rsa",
  "file:///etc/passwd",
  "\\\\host\\share",
  `${bait}/secret.iso`,
  `../${bait}/secret.iso`,
  `${"../".repeat(12)}${bait.slice(1)}/secret.iso`,
  `${bait}/secret.iso\0.iso`,
  "installer.iso\0",
  "a\0b",
  "\u0001\u0007\u001b[31m\u007f",
  "line\nbreak\r\n\ttab",
  "</name><devices><disk type='file'><source file='/etc/shadow'/></disk></devices>",
  '"/><!--',
  "]]><![CDATA[",
  "&lt;&#0;&#x110000;&xxe;",
  '<!DOCTYPE a [<!ENTITY xxe SYSTEM "file:///etc/passwd">]><a>&xxe;</a>',
  "$(touch /tmp/bootwright-pwned)",
  "`id`",
  "; rm -rf / #",
  "| cat /etc/shadow",
  "&& reboot",
  "-rf",
  "--help",
  "-o/tmp/bootwright-pwned",
  "x,file=/etc/shadow,readonly=off",
  'json:{"driver":"file","filename":"/etc/shadow"}',
  "nbd://127.0.0.1:10809/x",
  "fat:/etc",
  "'; DROP TABLE vm; --",
  '" OR 1=1 --',
  "%00%2e%2e%2f%s%n%d",
  "{{7*7}}#{7*7}",
  "\u202egnp.exe",
  "wеb", // a Cyrillic е
  "ｉｎｓｔａｌｌｅｒ.iso",
  "\ud800",
  "\udc00\ud800",
  "a\udfffb",
  "\ufeffinstaller.iso",
  "\ufffe\uffff\ufffd",
  "𝕋𝕖𝕤𝕥",
  "e\u0301".repeat(30),
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "local/",
  "/local",
  "local/local/x",
  "local/__proto__",
  "00000000-0000-0000-0000-000000000000",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
  "NaN",
  "-1",
  "1e999",
  "null",
  "undefined",
  "[object Object]",
  "true",
  " ",
  "",
];

const oneOfTexts = (texts: () => readonly string[]): fc.Arbitrary<string> =>
  fc.nat().map((pick) => {
    const all = texts();
    return all.length ? all[pick % all.length]! : "none";
  });

/** Makes text that is known to the server, that means harm, or that is anything. */
const anyText = (known: readonly string[] | (() => readonly string[]), hostile: readonly string[]) => {
  const pool = typeof known === "function" ? known : () => known;
  return fc.oneof(
    { weight: 30, arbitrary: oneOfTexts(pool) },
    { weight: 5, arbitrary: fc.constantFrom(...hostile) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
    { weight: 1, arbitrary: fc.tuple(oneOfTexts(pool), fc.constantFrom(...hostile)).map((both) => both.join("/")) },
  );
};

/** Makes a value that fits `schema`. */
function fitting(schema: Schema, known: () => readonly string[], hostile: readonly string[]): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => fitting(one, known, hostile)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const { minimum = -1000, maximum = 1000, multipleOf = 0.5 } = schema;
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.oneof(fc.constantFrom(minimum, maximum), fc.integer({ min: minimum, max: Math.min(maximum, 4096) }));
    case "number":
      return fc.oneof(
        fc.constantFrom(minimum, maximum),
        fc.integer({ min: Math.ceil(minimum / multipleOf), max: 64 / multipleOf }).map((count) => count * multipleOf),
      );
    case "array":
      return fc.array(fitting(schema.items ?? {}, known, hostile), { maxLength: schema.maxItems ?? 16 });
    default: {
      const fallback =
        schema.pattern === undefined ? "x" : schema.pattern.includes("network") ? "network:default" : "web";
      return anyText(known, hostile).map((text) => (fits(schema, text) ? text : fallback));
    }
  }
}

const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = null;
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
};

/** Values that fit nothing, or nothing for long. Each is made when it is needed: some are large. */
const misfits: readonly [how: string, make: () => unknown][] = [
  ["null", () => null],
  ["a number", () => 7],
  ["a negative number", () => -1],
  ["minus zero", () => -0],
  ["a fraction", () => 1.0000001],
  ["the largest number", () => Number.MAX_VALUE],
  ["the smallest number", () => Number.MIN_VALUE],
  ["an integer that is not exact", () => 2 ** 53 + 2],
  ["2^63", () => 2 ** 63],
  ["a boolean", () => true],
  ["a number as text", () => "7"],
  ["NaN as text", () => "NaN"],
  ["a list", () => []],
  ["a list in a list", () => [["x"]]],
  ["an object", () => ({})],
  ["an object with a prototype", () => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}')],
  [
    "an object that converts itself",
    () => JSON.parse('{"toString":"x","valueOf":1,"toJSON":"x","length":3,"then":"x"}'),
  ],
  ["a text of 1 MB", () => "x".repeat(MEGABYTE)],
  ["1 MB of path", () => "/..".repeat(MEGABYTE / 3)],
  ["1 MB of control characters", () => "\0".repeat(MEGABYTE / 6)],
  ["2,000 lists in one another", () => nested(2_000, (inner) => [inner])],
  ["2,000 objects in one another", () => nested(2_000, (inner) => ({ a: inner }))],
  ["a list of 100,000 numbers", () => Array.from({ length: 100_000 }, (_, index) => index)],
  ["a list of 100,000 texts", () => Array.from({ length: 100_000 }, () => "NO_MEDIA")],
  ["an object of 20,000 keys", () => Object.fromEntries(Array.from({ length: 20_000 }, (_, key) => [`k${key}`, key]))],
];
/** Returns whether a value is a large one, which costs a hundred times what the others cost. */
const isLarge = (how: string) => /\d\d,\d|MB/.test(how);

const extraKeys = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "", "vm ", "VM", "0", "then"];

/** Sets an own property whatever its name is. */
const withProperty = (args: object, name: string, value: unknown): object =>
  Object.defineProperty({ ...args }, name, { value, enumerable: true, configurable: true, writable: true });

/** One call of a tool. Half of them fit its schema; where `fits` says so is for the caller to ask. */
export function callOf(tool: ToolSchema, known: Known, bait: string): fc.Arbitrary<HostileCall> {
  const properties = tool.inputSchema.properties ?? {};
  const required = tool.inputSchema.required ?? [];
  const hostile = hostileTexts(bait);
  const shape = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, fitting(schema, known[name] ?? (() => []), hostile)]),
  );
  const right = fc.record(shape, { requiredKeys: [...required] }) as fc.Arbitrary<object>;
  const names = Object.keys(properties);
  const misfit = fc
    .oneof(
      { weight: 60, arbitrary: fc.constantFrom(...misfits.filter(([how]) => !isLarge(how))) },
      { weight: 1, arbitrary: fc.constantFrom(...misfits.filter(([how]) => isLarge(how))) },
    )
    .map(([how, make]) => ({ how, make }));
  const call = (args: unknown, how: string): HostileCall => ({ tool: tool.name, args, how });
  const fits = { weight: 10, arbitrary: right.map((args) => call(args, "as the schema says")) };
  const extra = {
    weight: 2,
    arbitrary: fc
      .tuple(right, fc.constantFrom(...extraKeys), misfit)
      .map(([args, key, { how, make }]) => call(withProperty(args, key, make()), `"${key}": ${how}`)),
  };
  // A tool that takes nothing can only be given what it does not take.
  if (names.length === 0) return fc.oneof(fits, extra);
  const name = fc.constantFrom(...names);
  return fc.oneof(
    fits,
    {
      weight: 4,
      arbitrary: fc
        .tuple(right, name, fc.constantFrom(...hostile))
        .map(([args, which, value]) => call({ ...args, [which]: value }, `${which}: a text`)),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(right, name, misfit)
        .map(([args, which, { how, make }]) => call({ ...args, [which]: make() }, `${which}: ${how}`)),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(right, name).map(([args, which]) => call(withoutProperty(args, which), `no ${which}`)),
    },
    extra,
  );
}

const withoutProperty = (args: object, name: string): object =>
  Object.fromEntries(Object.entries(args).filter(([key]) => key !== name));
