/** Reads stdin in lines of a limited length, and pauses while too many answers are unread. Without it, a line that is too
 * long makes the SDK's transport end the connection and all calls in flight. */
import { Transform, type TransformCallback, type Writable } from "node:stream";
import { setImmediate as immediate } from "node:timers/promises";

/** The longest message. A call's arguments are a few paths at most. */
export const MESSAGE_BYTES_MAX = 2 ** 20;
/** At this many unread bytes of answers no more requests are read. */
export const UNREAD_BYTES_MAX = 8 * 2 ** 20;

/** The bytes kept of the head and the tail of a line that is too long. Either may hold the request's id. */
const END_BYTES = 512;
const NEWLINE = 10;
const LINES_AT_ONCE = 32;

/** A dropped line. `id` is the request's id, or null if it cannot be found. */
export type TooLong = Readonly<{ bytes: number; id: string | number | null }>;

export class BoundedLines extends Transform {
  readonly #answers: Writable;
  readonly #dropped: (line: TooLong) => void;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(answers: Writable, dropped: (line: TooLong) => void) {
    super();
    this.#answers = answers;
    this.#dropped = dropped;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    void this.#passOn(chunk).then(() => done(), done);
  }

  async #passOn(chunk: Buffer): Promise<void> {
    let rest = chunk;
    for (let lines = 1, end = rest.indexOf(NEWLINE); end >= 0; lines++, end = rest.indexOf(NEWLINE)) {
      this.#take(rest.subarray(0, end + 1));
      this.#endLine();
      rest = rest.subarray(end + 1);
      // Answers count as unread only once they are written, which is a moment later.
      if (lines % LINES_AT_ONCE === 0) await answersRead(this.#answers);
    }
    if (rest.length > 0) this.#take(rest);
    await answersRead(this.#answers);
  }

  #take(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes <= MESSAGE_BYTES_MAX) {
      this.#pieces.push(piece);
      return;
    }
    const [head] = this.#pieces;
    // Copies, since a slice would keep its whole chunk in memory.
    this.#pieces = [Buffer.from((head ?? piece).subarray(0, END_BYTES))];
    this.#tail = Buffer.concat([this.#tail, piece.subarray(-END_BYTES)]).subarray(-END_BYTES);
  }

  #endLine(): void {
    const [pieces, bytes, tail] = [this.#pieces, this.#bytes, this.#tail];
    this.#pieces = [];
    this.#bytes = 0;
    this.#tail = Buffer.alloc(0);
    if (bytes <= MESSAGE_BYTES_MAX) this.push(Buffer.concat(pieces));
    else this.#dropped({ bytes, id: idIn(pieces[0]!.toString("utf8"), tail.toString("utf8")) });
  }
}

/** Waits until at most `bytesMax` are unread, or the stream has closed. */
export async function answersRead(answers: Writable, bytesMax = UNREAD_BYTES_MAX): Promise<void> {
  await immediate();
  while (!answers.destroyed && answers.writableLength > bytesMax) {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const event of ends) answers.on(event, resolve);
    await promise;
    for (const event of ends) answers.off(event, resolve);
  }
}

const ends = ["drain", "close", "error"] as const;

const id = String.raw`"id"\s*:\s*(-?\d{1,15}|"[^"\\]{0,100}")`;
const version = String.raw`"jsonrpc"\s*:\s*"2\.0"`;
const method = String.raw`"method"\s*:\s*"[\w/]{1,100}"`;
const atHead = new RegExp(String.raw`^\s*\{(?:\s*(?:${version}|${method})\s*,)*\s*${id}`);
// A line's last brace closes the message itself, so an id right before it belongs to no argument.
const atTail = new RegExp(String.raw`${id}(?:\s*,\s*(?:${version}|${method}))*\s*\}\s*$`);

function idIn(head: string, tail: string): TooLong["id"] {
  const [, found] = atHead.exec(head) ?? atTail.exec(tail) ?? [];
  return found === undefined ? null : (JSON.parse(found) as string | number);
}
