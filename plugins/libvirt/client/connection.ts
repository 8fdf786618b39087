// One connection to the daemon: sends calls, matches answers by serial, passes events on. It never reconnects and never
// repeats a call; at the first protocol error it closes and fails every waiting call.

import type { Socket } from "node:net";
import { CallInterrupted, ConnectionLost, ProtocolError, readError } from "./error.ts";
import {
  encodeFrame,
  type Frame,
  type FrameHeader,
  FrameReader,
  KEEPALIVE_PING,
  KEEPALIVE_PONG,
  KEEPALIVE_PROGRAM,
  MESSAGE_STATUS,
  MESSAGE_TYPE,
  PROGRAM_VERSION,
  QEMU_PROGRAM,
  REMOTE_PROGRAM,
} from "./frames.ts";
import { type Keepalive, type KeepaliveOptions, startKeepalive } from "./keepalive.ts";
import { type CallOptions, type ProcedureName, type ProcedureNumbers, procedureNumbers } from "./procedure.ts";
import { XdrReader, XdrWriter } from "./xdr.ts";

/**
 * Calls that the daemon works on at once for one connection. It takes five by default (`max_client_requests`) and
 * then stops reading, pings included; with four, a ping is answered however long the calls take.
 */
export const CALLS_IN_FLIGHT_MAX = 4;

const SERIAL_MAX = 0xffff_ffff;

export interface ConnectionOptions {
  readonly keepalive: KeepaliveOptions;
  /** Takes an event's procedure and message. A throw counts as a protocol error. */
  readonly onEvent: (place: ProcedureNumbers, message: XdrReader) => void;
  /** Called once when the connection ends, by either side. */
  readonly onClose: (reason: Error) => void;
}

interface WaitingCall {
  readonly serial: number;
  readonly procedure: ProcedureName;
  readonly frame: Buffer;
  /** Takes the answer; throws if it is invalid. */
  readonly answer: (status: number, payload: XdrReader) => void;
  readonly fail: (error: Error) => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #frames = new FrameReader();
  readonly #keepalive: Keepalive;
  readonly #unsent = new Map<number, WaitingCall>();
  readonly #sent = new Map<number, WaitingCall>();
  /** Calls whose caller gave up: the daemon still works on them and will answer. */
  readonly #abandoned = new Map<number, ProcedureName>();
  #serial = 0;
  #closedBy: Error | undefined;

  /** Takes over a connected socket. */
  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#keepalive = startKeepalive(
      options.keepalive,
      () => this.#sendKeepalive(KEEPALIVE_PING),
      (silentMs) => this.close(new Error(`the daemon has been silent for ${silentMs} ms`)),
    );
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.close(error));
    socket.on("close", () => this.close(new Error("the daemon closed the connection")));
  }

  get closed(): boolean {
    return this.#closedBy !== undefined;
  }

  /**
   * Sends one call. Rejects with LibvirtError (the daemon's answer), ConnectionLost or CallInterrupted (each says
   * whether the call was sent), or RangeError (an argument that cannot be sent).
   */
  async call<T>(
    procedure: ProcedureName,
    write: (writer: XdrWriter) => void,
    read: (reader: XdrReader) => T,
    options: CallOptions = {},
  ): Promise<T> {
    const writer = new XdrWriter();
    write(writer);
    const serial = this.#nextSerial();
    const header = callHeader(procedure, serial);
    const frame = encodeFrame(header, writer.bytes());
    if (options.signal?.aborted) throw new CallInterrupted(procedure, false, options.signal.reason);
    if (this.#closedBy !== undefined) throw new ConnectionLost(procedure, false, this.#closedBy);

    const waiting = Promise.withResolvers<T>();
    const interrupt = (cause: unknown) => waiting.reject(new CallInterrupted(procedure, this.#abandon(serial), cause));
    const aborted = () => interrupt(options.signal?.reason);
    const { timeoutMs } = options;
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => interrupt(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    options.signal?.addEventListener("abort", aborted);
    this.#unsent.set(serial, {
      serial,
      procedure,
      frame,
      answer: (status, payload) => {
        const error = status === MESSAGE_STATUS.error ? readError(payload, procedure) : undefined;
        const value = error === undefined ? read(payload) : undefined;
        payload.end();
        if (error === undefined) waiting.resolve(value as T);
        else waiting.reject(error);
      },
      fail: waiting.reject,
    });
    this.#sendWaiting();
    try {
      return await waiting.promise;
    } catch (error) {
      // The error was created when the answer arrived; its stack should lead to the caller.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", aborted);
    }
  }

  /** Closes at once; waiting calls fail with `reason`. */
  close(reason: Error): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = reason;
    this.#keepalive.stop();
    this.#socket.destroy();
    const sent = [...this.#sent.values()];
    const unsent = [...this.#unsent.values()];
    this.#sent.clear();
    this.#unsent.clear();
    this.#abandoned.clear();
    for (const call of sent) call.fail(new ConnectionLost(call.procedure, true, reason));
    for (const call of unsent) call.fail(new ConnectionLost(call.procedure, false, reason));
    this.#options.onClose(reason);
  }

  #sendWaiting(): void {
    for (const call of this.#unsent.values()) {
      if (this.#sent.size + this.#abandoned.size >= CALLS_IN_FLIGHT_MAX) return;
      this.#unsent.delete(call.serial);
      this.#sent.set(call.serial, call);
      this.#socket.write(call.frame);
    }
  }

  /** Forgets a call whose caller stopped waiting; returns whether it was sent. */
  #abandon(serial: number): boolean {
    const call = this.#sent.get(serial);
    if (call === undefined) {
      this.#unsent.delete(serial);
      return false;
    }
    this.#sent.delete(serial);
    this.#abandoned.set(serial, call.procedure);
    if (this.#abandoned.size >= CALLS_IN_FLIGHT_MAX) {
      // No caller waits for any call in flight, and the daemon would accept no further one.
      this.close(new Error("every call in flight was given up"));
    }
    return true;
  }

  #receive(chunk: Buffer): void {
    this.#keepalive.heard();
    try {
      for (const frame of this.#frames.read(chunk)) {
        if (this.closed) return;
        this.#dispatch(frame);
      }
    } catch (error) {
      this.close(error instanceof ProtocolError ? error : new ProtocolError(messageOf(error), { cause: error }));
    }
    this.#sendWaiting();
  }

  #dispatch({ header, payload }: Frame): void {
    if (header.version !== PROGRAM_VERSION)
      throw new ProtocolError(`version ${header.version} of program ${hex(header.program)}`);
    const reader = new XdrReader(payload);
    if (header.program === KEEPALIVE_PROGRAM) {
      this.#takeKeepalive(header, reader);
    } else if (header.program !== REMOTE_PROGRAM && header.program !== QEMU_PROGRAM) {
      throw new ProtocolError(`unknown program ${hex(header.program)}`);
    } else if (header.type === MESSAGE_TYPE.reply) {
      this.#takeReply(header, reader);
    } else if (header.type === MESSAGE_TYPE.message && header.status === MESSAGE_STATUS.ok) {
      this.#options.onEvent(header, reader);
      reader.end();
    } else {
      throw new ProtocolError(`a packet of type ${header.type} with status ${header.status}`);
    }
  }

  #takeKeepalive(header: FrameHeader, reader: XdrReader): void {
    reader.end();
    if (header.type !== MESSAGE_TYPE.message) throw new ProtocolError(`a keepalive packet of type ${header.type}`);
    if (header.procedure === KEEPALIVE_PING) this.#sendKeepalive(KEEPALIVE_PONG);
    else if (header.procedure !== KEEPALIVE_PONG) throw new ProtocolError(`keepalive procedure ${header.procedure}`);
  }

  #takeReply(header: FrameHeader, reader: XdrReader): void {
    const { serial, status } = header;
    const call = this.#sent.get(serial);
    const procedure = call?.procedure ?? this.#abandoned.get(serial);
    if (procedure === undefined) throw new ProtocolError(`an answer to call ${serial}, which was never made`);
    const asked = procedureNumbers(procedure);
    if (header.program !== asked.program || header.procedure !== asked.procedure)
      throw new ProtocolError(`an answer of procedure ${header.procedure} to ${procedure}`);
    if (status !== MESSAGE_STATUS.ok && status !== MESSAGE_STATUS.error)
      throw new ProtocolError(`an answer with status ${status}`);
    try {
      call?.answer(status, reader);
    } catch (error) {
      throw new ProtocolError(`an invalid answer to ${procedure}: ${messageOf(error)}`, { cause: error });
    }
    this.#sent.delete(serial);
    this.#abandoned.delete(serial);
  }

  #sendKeepalive(procedure: number): void {
    const type = MESSAGE_TYPE.message;
    const header = {
      program: KEEPALIVE_PROGRAM,
      version: PROGRAM_VERSION,
      procedure,
      type,
      serial: 0,
      status: MESSAGE_STATUS.ok,
    };
    this.#socket.write(encodeFrame(header, new Uint8Array()));
  }

  #nextSerial(): number {
    do {
      this.#serial = this.#serial === SERIAL_MAX ? 1 : this.#serial + 1;
    } while (this.#sent.has(this.#serial) || this.#unsent.has(this.#serial) || this.#abandoned.has(this.#serial));
    return this.#serial;
  }
}

function callHeader(procedure: ProcedureName, serial: number): FrameHeader {
  return {
    ...procedureNumbers(procedure),
    version: PROGRAM_VERSION,
    type: MESSAGE_TYPE.call,
    serial,
    status: MESSAGE_STATUS.ok,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
