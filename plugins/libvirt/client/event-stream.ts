import type { DomainEvent, EventKind } from "./event.ts";

/** Events are missing here: the reader must observe the domains again. */
export interface EventGap {
  readonly kind: "gap";
  readonly reason: "overflow" | "disconnected";
}

/** A bounded queue of events for one reader. A reader that falls behind gets a gap, and the socket never waits. */
export class EventStream implements AsyncIterableIterator<DomainEvent | EventGap, undefined> {
  readonly kinds: ReadonlySet<EventKind>;
  readonly #capacity: number;
  readonly #onClose: (stream: EventStream) => void;
  readonly #queue: (DomainEvent | EventGap)[] = [];
  readonly #readers: ((result: IteratorResult<DomainEvent | EventGap, undefined>) => void)[] = [];
  #overflowed = false;
  #closed = false;

  constructor(kinds: readonly EventKind[], capacity: number, onClose: (stream: EventStream) => void) {
    this.kinds = new Set(kinds);
    this.#capacity = capacity;
    this.#onClose = onClose;
  }

  push(event: DomainEvent | EventGap): void {
    if (this.#closed) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) reader({ value: event, done: false });
    // After an overflow nothing is queued until the gap is read, so that the gap marks where events are missing.
    else if (this.#overflowed || this.#queue.length >= this.#capacity) this.#overflowed = true;
    else this.#queue.push(event);
  }

  next(): Promise<IteratorResult<DomainEvent | EventGap, undefined>> {
    const event = this.#queue.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#overflowed) {
      this.#overflowed = false;
      return Promise.resolve({ value: { kind: "gap", reason: "overflow" }, done: false });
    }
    if (this.#closed) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** Ends the stream; what is already queued can still be read. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
    this.#onClose(this);
  }

  return(): Promise<IteratorResult<DomainEvent | EventGap, undefined>> {
    this.#queue.length = 0;
    this.#overflowed = false;
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
