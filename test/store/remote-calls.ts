/** Calls of one process to another, a line of JSON each, over its standard input and output. */
import { stdin } from "node:process";
import { createInterface } from "node:readline";
import { DomainError, type ErrorCode } from "../../src/domain/error.ts";

export type Methods = Readonly<Record<string, (...values: never[]) => unknown>>;
type Fault = Readonly<{ message: string; code?: ErrorCode; details?: never }>;
type Line = Readonly<{ ready?: true; listener?: number; id?: number; value?: unknown; fault?: Fault }>;

/** JSON has no `undefined`; as an argument it is one all the same. */
const undefinedMark = "\0undefined";
const encode = (value: object) => JSON.stringify(value, (_, one) => (one === undefined ? undefinedMark : one));
const decode = (line: string) => JSON.parse(line, (_, one) => (one === undefinedMark ? undefined : one));

const faultOf = (error: Error): Fault => ({
  message: error.message,
  ...(error instanceof DomainError && { code: error.code, details: error.details as never }),
});
const errorOf = ({ message, code, details }: Fault): Error =>
  code ? new DomainError(code, details as never) : new Error(message);

/** Answers the calls of whoever started this process, until they close its input. `tell` calls back a listener of theirs. */
export async function answerCalls(methodsFor: (notify: (listener: number) => void) => Methods): Promise<void> {
  const say = (line: Line) => console.log(encode(line));
  const methods = methodsFor((listener) => say({ listener }));
  say({ ready: true });
  for await (const line of createInterface({ input: stdin })) {
    const { id, method, values } = decode(line) as { id: number; method: string; values: never[] };
    // Not one after the other: some wait for what others do.
    void (async () => methods[method]!(...values))().then(
      (value) => say({ id, value }),
      (error: Error) => say({ id, fault: faultOf(error) }),
    );
  }
}

export type Calls = ReturnType<typeof callsTo>;

/** Calls a process that answers like this. */
export function callsTo(process: Readonly<{ line(): Promise<string | undefined>; say(line: string): void }>) {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const listeners = new Map<number, () => void>();
  const ready = Promise.withResolvers<void>();
  let last = 0;

  const heard = ({ ready: isReady, listener, id, value, fault }: Line): void => {
    if (isReady) ready.resolve();
    if (listener !== undefined) listeners.get(listener)?.();
    if (id === undefined) return;
    const call = waiting.get(id);
    waiting.delete(id);
    if (fault) call?.reject(errorOf(fault));
    else call?.resolve(value);
  };

  const read = async (): Promise<void> => {
    for (let line = await process.line(); line !== undefined; line = await process.line()) heard(decode(line));
    const ended = new Error("The process ended before it answered");
    for (const { reject } of [ready, ...waiting.values()]) reject(ended);
  };
  void read();

  return {
    /** Resolves once the process answers. */
    ready: ready.promise,

    call(method: string, ...values: unknown[]): Promise<unknown> {
      const id = ++last;
      const call = Promise.withResolvers<unknown>();
      waiting.set(id, call);
      process.say(encode({ id, method, values }));
      return call.promise;
    },

    /** The number by which the process calls this listener back. */
    listen(listener: () => void): number {
      listeners.set(++last, listener);
      return last;
    },
  };
}
