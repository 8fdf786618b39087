// The packets of libvirt's RPC: a length that counts itself, a header of six words, a payload.
// Layout and limits: libvirt's src/rpc/virnetprotocol.x and virkeepaliveprotocol.x (9.0).

import { ProtocolError } from "./error.ts";

export const REMOTE_PROGRAM = 0x2000_8086;
/** The program of the QEMU driver, over the same connection. */
export const QEMU_PROGRAM = 0x2000_8087;
export const KEEPALIVE_PROGRAM = 0x6b65_6570;
export const KEEPALIVE_PING = 1;
export const KEEPALIVE_PONG = 2;
/** The version of all programs. */
export const PROGRAM_VERSION = 1;

export const MESSAGE_TYPE = { call: 0, reply: 1, message: 2 } as const;
export const MESSAGE_STATUS = { ok: 0, error: 1 } as const;

const LENGTH_BYTES = 4;
const HEADER_BYTES = 24;
/** Bytes of the largest packet that either side sends, its length word included (VIR_NET_MESSAGE_MAX and the
 * length). */
export const FRAME_BYTES_MAX = 33_554_432 + LENGTH_BYTES;

/** The header of a packet: its program and procedure, its type, and the call that it belongs to. */
export interface FrameHeader {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
}

export interface Frame {
  readonly header: FrameHeader;
  readonly payload: Buffer;
}

/** One packet as bytes. Throws a RangeError if libvirt would refuse its size. */
export function encodeFrame(header: FrameHeader, payload: Uint8Array): Buffer {
  const length = LENGTH_BYTES + HEADER_BYTES + payload.length;
  if (length > FRAME_BYTES_MAX)
    throw new RangeError(`Cannot send a packet of ${length} bytes: libvirt reads at most ${FRAME_BYTES_MAX}`);
  const frame = Buffer.alloc(length);
  const words = [length, header.program, header.version, header.procedure, header.type, header.serial, header.status];
  words.forEach((word, index) => {
    frame.writeUInt32BE(word, index * 4);
  });
  frame.set(payload, LENGTH_BYTES + HEADER_BYTES);
  return frame;
}

/** Cuts the bytes of a socket into packets, whatever pieces they arrive in. */
export class FrameReader {
  readonly #lengthWord = Buffer.alloc(LENGTH_BYTES);
  /** The body that is being read; absent while its length is read. */
  #announced: number | undefined;
  #body = Buffer.alloc(0);
  #filled = 0;

  /** The packets that `chunk` completes. Throws a ProtocolError at an impossible length; the stream is lost then. */
  *read(chunk: Uint8Array): Generator<Frame> {
    let rest = chunk;
    while (rest.length > 0) {
      const wanted = this.#announced ?? LENGTH_BYTES;
      const piece = rest.subarray(0, wanted - this.#filled);
      const target = this.#announced === undefined ? this.#lengthWord : this.#room(this.#filled + piece.length, wanted);
      target.set(piece, this.#filled);
      this.#filled += piece.length;
      rest = rest.subarray(piece.length);
      if (this.#filled < wanted) return;
      this.#filled = 0;
      if (this.#announced === undefined) {
        this.#announced = bodyLength(this.#lengthWord.readUInt32BE(0));
      } else {
        const body = this.#body;
        this.#announced = undefined;
        this.#body = Buffer.alloc(0);
        yield { header: decodeHeader(body), payload: body.subarray(HEADER_BYTES) };
      }
    }
  }

  /** The body with room for the received bytes: memory is allocated for received bytes, never for announced ones. */
  #room(needed: number, announced: number): Buffer {
    if (needed > this.#body.length) {
      const grown = Buffer.alloc(Math.min(announced, Math.max(needed, 2 * this.#body.length)));
      grown.set(this.#body.subarray(0, this.#filled));
      this.#body = grown;
    }
    return this.#body;
  }
}

function bodyLength(length: number): number {
  if (length < LENGTH_BYTES + HEADER_BYTES || length > FRAME_BYTES_MAX)
    throw new ProtocolError(`a packet of ${length} bytes was announced`);
  return length - LENGTH_BYTES;
}

function decodeHeader(body: Buffer): FrameHeader {
  const word = (index: number) => body.readUInt32BE(index * 4);
  return { program: word(0), version: word(1), procedure: word(2), type: word(3), serial: word(4), status: word(5) };
}
