// XDR (RFC 4506), the encoding of libvirt's RPC: big-endian, everything padded to four bytes.
// Reading is strict: bytes that no valid writer could have written are an XdrError.

/** A message violates XDR or a limit of libvirt's protocol, so it cannot be trusted. */
export class XdrError extends Error {
  override readonly name = "XdrError";
}

/** Bytes of the longest string that libvirt reads (REMOTE_STRING_MAX). */
export const STRING_BYTES_MAX = 4_194_304;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Builds the payload of one message. A value that cannot be sent throws a RangeError before anything is sent. */
export class XdrWriter {
  #buffer = Buffer.alloc(256);
  #length = 0;

  int(value: number): void {
    checkInteger(value, -0x8000_0000, 0x7fff_ffff);
    this.#length = this.#room(4).writeInt32BE(value, this.#length);
  }

  unsigned(value: number): void {
    checkInteger(value, 0, 0xffff_ffff);
    this.#length = this.#room(4).writeUInt32BE(value, this.#length);
  }

  unsignedHyper(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn)
      throw new RangeError(`Cannot send ${value}: not an unsigned 64-bit integer`);
    this.#length = this.#room(8).writeBigUInt64BE(value, this.#length);
  }

  /** Bytes of a length that both sides know. */
  fixed(bytes: Uint8Array): void {
    const padded = bytes.length + padding(bytes.length);
    const buffer = this.#room(padded);
    buffer.set(bytes, this.#length);
    buffer.fill(0, this.#length + bytes.length, this.#length + padded);
    this.#length += padded;
  }

  string(value: string): void {
    // The daemon reads strings as C strings, so it would see another value than the one checked here.
    if (value.includes("\0")) throw new RangeError("Cannot send a text with a NUL character");
    if (!value.isWellFormed()) throw new RangeError("Cannot send a text that is not valid Unicode");
    const bytes = encoder.encode(value);
    if (bytes.length > STRING_BYTES_MAX)
      throw new RangeError(`Cannot send a text of ${bytes.length} bytes: libvirt reads at most ${STRING_BYTES_MAX}`);
    this.unsigned(bytes.length);
    this.fixed(bytes);
  }

  optional<T>(value: T | undefined, write: (value: T) => void): void {
    this.unsigned(value === undefined ? 0 : 1);
    if (value !== undefined) write(value);
  }

  list<T>(values: readonly T[], write: (value: T) => void): void {
    this.unsigned(values.length);
    for (const value of values) write(value);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(length: number): Buffer {
    const needed = this.#length + length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.bytes());
      this.#buffer = grown;
    }
    return this.#buffer;
  }
}

/** Reads the payload of one message; every method throws an XdrError where the bytes do not fit. */
export class XdrReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(payload: Uint8Array) {
    this.#buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }

  int(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  unsigned(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  hyper(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8));
  }

  unsignedHyper(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  /** C's int as a truth value: libvirt's calls answer 0 or 1. */
  truth(): boolean {
    const value = this.int();
    if (value !== 0 && value !== 1) throw new XdrError(`Cannot read ${value} as a truth value`);
    return value === 1;
  }

  fixed(length: number): Buffer {
    const start = this.#take(length);
    for (let left = padding(length); left > 0; left--) {
      if (this.#buffer.readUInt8(this.#take(1)) !== 0) throw new XdrError("Cannot read padding that is not zero");
    }
    return this.#buffer.subarray(start, start + length);
  }

  /** Text that is written back later (XML, names): invalid UTF-8 is an error, never a replacement character. */
  string(): string {
    const bytes = this.#string();
    try {
      return strictDecoder.decode(bytes);
    } catch {
      throw new XdrError("Cannot read a text that is not UTF-8");
    }
  }

  /** Text that is only shown (messages, what a guest says of itself): a guest must not be able to end the
   * connection. */
  shownString(): string {
    return lenientDecoder.decode(this.#string());
  }

  optional<T>(read: () => T): T | undefined {
    return this.truth() ? read() : undefined;
  }

  /** A list of at most `lengthMax` entries, each of at least four bytes. */
  list<T>(lengthMax: number, read: () => T): T[] {
    const length = this.unsigned();
    if (length > lengthMax) throw new XdrError(`Cannot read a list of ${length}: the protocol allows ${lengthMax}`);
    if (length * 4 > this.#buffer.length - this.#offset)
      throw new XdrError(`Cannot read a list of ${length}: the message is too short`);
    return Array.from({ length }, read);
  }

  /** Called when everything expected was read; remaining bytes mean that the message was another one. */
  end(): void {
    const left = this.#buffer.length - this.#offset;
    if (left !== 0) throw new XdrError(`Cannot read a message with ${left} bytes too many`);
  }

  #string(): Buffer {
    const length = this.unsigned();
    if (length > STRING_BYTES_MAX)
      throw new XdrError(`Cannot read a text of ${length} bytes: the protocol allows ${STRING_BYTES_MAX}`);
    return this.fixed(length);
  }

  #take(length: number): number {
    const start = this.#offset;
    if (start + length > this.#buffer.length)
      throw new XdrError(`Cannot read ${length} bytes: the message has ${this.#buffer.length - start} left`);
    this.#offset = start + length;
    return start;
  }
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}

function checkInteger(value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`Cannot send ${value}: not an integer from ${min} to ${max}`);
}
