/** Calls to one worker, with their time limits, and the tool calls that the worker makes in return. */
import { DomainError, type ErrorCode } from "../domain/error.ts";
import { reasonOf } from "./load.ts";
import { FromWorker, type ToWorker, type WorkerRequest } from "./protocol.ts";
import type { SandboxedWorker } from "./sandbox.ts";

export type Done = Extract<FromWorker, { done: number }>;

export type CallTool = (name: string, args: unknown, signal: AbortSignal) => Promise<Record<string, unknown>>;

export type WorkerRpc = Readonly<{
  /** @throws DomainError PLUGIN_TIMED_OUT, PLUGIN_FAILED, and any PLUGIN_… code from the worker's load */
  ask(asked: WorkerRequest, what: string, limitMs: number, signal?: AbortSignal): Promise<Done>;
  end(reason: string): Promise<void>;
  readonly gone: boolean;
}>;

type Call = Readonly<{
  what: string;
  clock: Clock;
  ending: AbortController;
  resolve(done: Done): void;
  reject(error: unknown): void;
}> & { tools: number };

/** The time between the abort of a call and the end of its worker, for calls that obey their signal. */
const GRACE_MS = 500;
/** The limit of one call, the time in tools included. */
const WHOLE_LIMIT_MS = 600_000;
const TOOLS_AT_ONCE_MAX = 16;
const REASON_MAX = 500;

export function openWorkerRpc(
  plugin: string,
  start: (on: { message(value: unknown): void; ended(reason: string): void }) => SandboxedWorker,
  callTool: CallTool,
  log: (line: string) => void,
): WorkerRpc {
  const calls = new Map<number, Call>();
  let count = 0;
  let gone = false;
  const failed = (what: string, reason: string) =>
    new DomainError("PLUGIN_FAILED", { plugin, what, reason: reason.slice(0, REASON_MAX) });

  const end = async (reason: string) => {
    gone = true;
    for (const { what, reject } of calls.values()) reject(failed(what, reason));
    await worker.end();
  };
  let fault: string | undefined;
  const worker = start({
    message(value) {
      const { data } = FromWorker.safeParse(value);
      if (!data) return void end("its worker sent what is no message");
      if ("log" in data) log(data.log);
      else if ("fault" in data) fault = data.fault;
      else if ("done" in data) calls.get(data.done)?.resolve(data);
      else if ("tool" in data) void runTool(data);
      else {
        const call = calls.get(data.failed);
        call?.reject(data.refusal ? domainErrorFrom(data.refusal) : failed(call.what, data.reason));
      }
    },
    ended: (reason) => void end(fault ?? reason),
  });
  const post = (message: ToWorker) => {
    if (!gone) worker.post(message);
  };

  async function runTool({ of, tool, name, args }: Extract<FromWorker, { tool: number }>): Promise<void> {
    const call = calls.get(of);
    try {
      if (!call) throw failed(name, "the function that called it has ended");
      if (call.tools >= TOOLS_AT_ONCE_MAX) throw new DomainError("SERVER_BUSY", { calls: TOOLS_AT_ONCE_MAX });
      call.tools++;
      // A tool has its own limits, so its time does not count as the function's.
      call.clock.pause();
      try {
        post({ tool, answer: await callTool(name, args, call.ending.signal) });
      } finally {
        call.tools--;
        call.clock.resume();
      }
    } catch (error) {
      const { code, message, details } = error instanceof DomainError ? error : defect;
      post({ tool, refusal: { code, message, details } });
    }
  }

  return {
    get gone() {
      return gone;
    },
    end,
    async ask(asked, what, limitMs, signal) {
      signal?.throwIfAborted();
      if (gone) throw failed(what, "its worker has ended");
      const id = ++count;
      const { promise, resolve, reject } = Promise.withResolvers<Done>();
      const ending = new AbortController();
      let grace: ReturnType<typeof setTimeout> | undefined;
      let over: unknown;
      const stop = (reason: unknown) => {
        if (over !== undefined) return;
        over = reason;
        ending.abort(reason);
        post({ end: id });
        grace = setTimeout(() => {
          reject(reason);
          void end(`its worker was stopped, since "${what}" did not end in time`);
        }, GRACE_MS);
      };
      const timedOut = () => stop(new DomainError("PLUGIN_TIMED_OUT", { plugin, what, limitMs }));
      const giveUp = () => stop(signal?.reason);
      signal?.addEventListener("abort", giveUp, { once: true });
      const [clock, whole] = [startClock(limitMs, timedOut), setTimeout(timedOut, WHOLE_LIMIT_MS)];
      calls.set(id, { what, clock, ending, resolve, reject, tools: 0 });
      try {
        post({ ...asked, id });
        return await promise;
      } catch (error) {
        throw over ?? error;
      } finally {
        calls.delete(id);
        clock.stop();
        clearTimeout(whole);
        clearTimeout(grace);
        signal?.removeEventListener("abort", giveUp);
        ending.abort(new DOMException("the function has ended", "AbortError"));
      }
    },
  };
}

const defect = { code: "DEFECT", message: "A fault in Bootwright itself; its log on stderr says more", details: {} };

/** The error of a worker's failed load, as an error of this process. */
const domainErrorFrom = ({ code, details }: { code: string; details: Record<string, unknown> }) =>
  code.startsWith("PLUGIN_")
    ? new DomainError(code as ErrorCode, details as never)
    : new DomainError("PLUGIN_INVALID", { plugin: String(details.plugin), reason: reasonOf(code) });

type Clock = Readonly<{ pause(): void; resume(): void; stop(): void }>;

/** A timer that can be paused. Pauses nest. */
function startClock(limitMs: number, up: () => void): Clock {
  let [left, began, paused] = [limitMs, performance.now(), 0];
  let timer: ReturnType<typeof setTimeout> | undefined = setTimeout(up, left);
  return {
    pause() {
      if (paused++ > 0) return;
      clearTimeout(timer);
      left -= performance.now() - began;
    },
    resume() {
      if (--paused > 0 || timer === undefined) return;
      began = performance.now();
      timer = setTimeout(up, Math.max(0, left));
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
