// Outlives connections: opens one at the first call, and again at the first call after it was lost, with the same
// events subscribed. A call is repeated only if it was certainly never sent.

import type { Address } from "./address.ts";
import { authenticate } from "./authentication.ts";
import { Connection } from "./connection.ts";
import { CallInterrupted, ConnectFailed, ConnectionLost, LibvirtError } from "./error.ts";
import { type EventKind, eventId, readEvent } from "./event.ts";
import { EventStream } from "./event-stream.ts";
import type { KeepaliveOptions } from "./keepalive.ts";
import { type Call, type CallOptions, nothing, type ProcedureName, type ProcedureNumbers } from "./procedure.ts";
import { connectSocket } from "./socket.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

export interface SessionOptions {
  readonly address: Address;
  readonly keepalive: KeepaliveOptions;
  /** Time limit for socket, authentication and CONNECT_OPEN together, in milliseconds. */
  readonly openTimeoutMs: number;
  readonly log: (message: string, details: Readonly<Record<string, unknown>>) => void;
  readonly onReconnect: () => void;
}

const CLOSE_TIMEOUT_MS = 1000;

/** An open connection with its event callbacks; a new connection starts without any. */
interface Link {
  readonly connection: Connection;
  /** The callback's number for each kind; none if the driver does not know that kind. */
  readonly callbacks: Map<EventKind, Promise<number | undefined>>;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #streams = new Set<EventStream>();
  /** The present link or a pending one; absent while there is none. */
  #link: Promise<Link> | undefined;
  #opened = false;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  readonly call: Call = async (procedure, write, read, options = {}) => {
    const startedMs = performance.now();
    const { signal, timeoutMs } = options;
    for (let attempt = 1; ; attempt++) {
      const { connection } = await this.#linked(procedure, options);
      const spentMs = performance.now() - startedMs;
      const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - spentMs);
      try {
        return await connection.call(procedure, write, read, { signal, timeoutMs: leftMs });
      } catch (error) {
        const neverSent = error instanceof ConnectionLost && !error.sent;
        if (!neverSent || attempt > 1) throw error;
      }
    }
  };

  /** Events of these kinds from now on. Waiting for events does not reconnect: a gap makes the reader observe, which
   * does. */
  async subscribe(kinds: readonly EventKind[], capacity: number, options: CallOptions = {}): Promise<EventStream> {
    const stream = new EventStream(kinds, capacity, () => this.#unsubscribe(stream));
    this.#streams.add(stream);
    try {
      const link = await this.#linked("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", options);
      await register(link, kinds, options);
    } catch (error) {
      stream.close();
      throw error;
    }
    return stream;
  }

  /** Closes the connection and ends all streams. Later calls fail with ConnectFailed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stream of this.#streams) stream.close();
    const link = await this.#link?.catch(nothing);
    if (!link) return;
    // The daemon drops a closed socket's state by itself; the call only saves it an entry in its log.
    await link.connection.call("CONNECT_CLOSE", nothing, nothing, { timeoutMs: CLOSE_TIMEOUT_MS }).catch(nothing);
    link.connection.close(new Error("this side closed the connection"));
  }

  /** The present link or a new one; stops waiting as `options` say, while other callers may continue. */
  async #linked(procedure: ProcedureName, { signal, timeoutMs }: CallOptions): Promise<Link> {
    if (this.#closed) throw new ConnectFailed("Cannot call libvirt: this side closed the connection");
    this.#link ??= this.#startLink();
    if (signal === undefined && timeoutMs === undefined) return this.#link;
    const waiting = Promise.withResolvers<never>();
    const interrupt = (cause: unknown) => waiting.reject(new CallInterrupted(procedure, false, cause));
    const aborted = () => interrupt(signal?.reason);
    if (signal?.aborted) aborted();
    signal?.addEventListener("abort", aborted);
    const late = () => interrupt(new Error(`no connection in ${timeoutMs} ms`));
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
    try {
      return await Promise.race([waiting.promise, this.#link]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    }
  }

  #startLink(): Promise<Link> {
    const forget = () => {
      if (this.#link === link) this.#link = undefined;
    };
    const link = this.#open(forget);
    link.catch(forget);
    return link;
  }

  async #open(forget: () => void): Promise<Link> {
    const { address, keepalive, openTimeoutMs, log } = this.#options;
    const socket = await connectSocket(address.socketPath, openTimeoutMs);
    const onClose = (reason: Error) => {
      forget();
      this.#lost(reason);
    };
    const connection = new Connection(socket, { keepalive, onEvent: this.#deliver, onClose });
    const link = { connection, callbacks: new Map() };
    try {
      await this.#greet(link, AbortSignal.timeout(openTimeoutMs));
    } catch (error) {
      connection.close(new Error("the connection could not be opened"));
      if (!(error instanceof ConnectionLost || error instanceof CallInterrupted)) throw error;
      // Nothing that changes a domain is part of opening, so the caller's call has not been sent.
      throw new ConnectFailed(`Cannot open "${address.name}" at "${address.socketPath}": ${error.message}`, {
        cause: error,
      });
    }
    log("connected to libvirt", { ...address, again: this.#opened });
    if (this.#opened) queueMicrotask(this.#options.onReconnect);
    this.#opened = true;
    return link;
  }

  async #greet(link: Link, signal: AbortSignal): Promise<void> {
    const { connection } = link;
    await authenticate((...call) => connection.call(...call), { signal });
    const writeOpen = (writer: XdrWriter) => {
      writer.optional(this.#options.address.name, (name) => writer.string(name));
      writer.unsigned(0);
    };
    await connection.call("CONNECT_OPEN", writeOpen, nothing, { signal });
    await register(link, [...new Set([...this.#streams].flatMap((stream) => [...stream.kinds]))], { signal });
  }

  #unsubscribe(stream: EventStream): void {
    this.#streams.delete(stream);
    if (this.#closed) return;
    const wanted = new Set([...this.#streams].flatMap((other) => [...other.kinds]));
    const unwanted = [...stream.kinds].filter((kind) => !wanted.has(kind));
    this.#link
      ?.then((link) => deregister(link, unwanted))
      .catch((error: unknown) => {
        if (!this.#closed) this.#options.log("could not unsubscribe from events of libvirt", { unwanted, error });
      });
  }

  readonly #deliver = (place: ProcedureNumbers, message: XdrReader): void => {
    const event = readEvent(place, message);
    for (const stream of this.#streams) {
      if (stream.kinds.has(event.kind)) stream.push(event);
    }
  };

  #lost(reason: Error): void {
    if (this.#closed) return;
    this.#options.log("the connection to libvirt is gone", { reason });
    for (const stream of this.#streams) stream.push({ kind: "gap", reason: "disconnected" });
  }
}

/** One callback for each kind of event, however many streams want it. */
async function register(link: Link, kinds: readonly EventKind[], options: CallOptions): Promise<void> {
  const { callbacks } = link;
  await Promise.all(
    kinds.map((kind) => {
      const known = callbacks.get(kind);
      if (known !== undefined) return known;
      const callback = registerOne(link, eventId(kind), options);
      callbacks.set(kind, callback);
      callback.catch(() => callbacks.delete(kind));
      return callback;
    }),
  );
}

async function registerOne({ connection }: Link, id: number | string, options: CallOptions) {
  const read = (reader: XdrReader) => reader.int();
  if (typeof id === "number") {
    const write = (writer: XdrWriter) => {
      writer.int(id);
      writer.optional(undefined, nothing);
    };
    return connection.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", write, read, options);
  }
  const write = (writer: XdrWriter) => {
    writer.optional(undefined, nothing);
    writer.optional(id, (name) => writer.string(name));
    writer.unsigned(0);
  };
  try {
    return await connection.call("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", write, read, options);
  } catch (error) {
    // QEMU's events only add details to libvirt's: another driver has none, and a host's rules may withhold them.
    if (error instanceof LibvirtError) return undefined;
    throw error;
  }
}

async function deregister({ connection, callbacks }: Link, kinds: readonly EventKind[]): Promise<void> {
  for (const kind of kinds) {
    const callback = callbacks.get(kind);
    if (callback === undefined) continue;
    callbacks.delete(kind);
    const id = await callback;
    if (id === undefined) continue;
    const write = (writer: XdrWriter) => writer.int(id);
    const ofQemu = typeof eventId(kind) === "string";
    await connection.call(
      ofQemu ? "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER" : "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
      write,
      nothing,
    );
  }
}
