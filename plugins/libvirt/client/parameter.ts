// Typed parameters: libvirt's answers as sets of named values, which grow from version to version.

import { XdrError, type XdrReader } from "./xdr.ts";

/** 64-bit integers are bigint whatever their value, 32-bit ones and doubles are number. */
export type Parameter = number | bigint | boolean | string;

/** Values by libvirt's names, such as "block.0.capacity". */
export type Parameters = Readonly<Record<string, Parameter>>;

export function readParameters(reader: XdrReader, lengthMax: number): Parameters {
  const entries = reader.list(lengthMax, () => [reader.string(), readParameter(reader)] as const);
  return Object.fromEntries(entries);
}

function readParameter(reader: XdrReader): Parameter {
  const type = reader.int();
  // The numbers are virTypedParameterType's.
  switch (type) {
    case 1:
      return reader.int();
    case 2:
      return reader.unsigned();
    case 3:
      return reader.hyper();
    case 4:
      return reader.unsignedHyper();
    case 5:
      return reader.double();
    case 6:
      return reader.truth();
    case 7:
      // A guest controls some of these texts, for example its agent's answers.
      return reader.shownString();
    default:
      throw new XdrError(`Cannot read a parameter of type ${type}`);
  }
}

/** A count or a size as a number; a RangeError if it is too large to be exact. */
export function exactNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`Cannot use ${value} as a number: it would not be exact`);
  return number;
}

/** A size or count among `parameters`, in the unit that libvirt documents for it; absent if libvirt gave none. */
export function sizeOf(parameters: Parameters, name: string): number | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  if (typeof value === "bigint") return exactNumber(value);
  if (typeof value === "number") return value;
  throw new RangeError(`Cannot use the parameter "${name}" as a size: it is a ${typeof value}`);
}
