import type { XdrReader, XdrWriter } from "./xdr.ts";

/** A domain as libvirt names it. `id` is the number of the running instance, absent while it is shut off. */
export interface Domain {
  readonly name: string;
  /** Lower case with dashes. */
  readonly uuid: string;
  readonly id: number | undefined;
}

const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Writes a UUID of the form 8-4-4-4-12; throws a RangeError for any other text. */
export function writeUuid(writer: XdrWriter, uuid: string): void {
  if (!UUID.test(uuid)) throw new RangeError(`Cannot send "${uuid}" as a UUID`);
  writer.fixed(Buffer.from(uuid.replaceAll("-", ""), "hex"));
}

export function readUuid(reader: XdrReader): string {
  const hex = reader.fixed(UUID_BYTES).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** remote_nonnull_domain. */
export function writeDomain(writer: XdrWriter, domain: Domain): void {
  writer.string(domain.name);
  writeUuid(writer, domain.uuid);
  writer.int(domain.id ?? -1);
}

export function readDomain(reader: XdrReader): Domain {
  const name = reader.string();
  const uuid = readUuid(reader);
  const id = reader.int();
  return { name, uuid, id: id === -1 ? undefined : id };
}
