/** A worker's side of what is said between it and the host, on either runtime. */
import { Socket } from "node:net";
import { constants } from "node:os";
import { format } from "node:util";
import { MESSAGE_MAX, readMessages, writeMessage } from "./ipc-framing.ts";
import { reasonOf } from "./load.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

type Send = (message: FromWorker) => void;

/** Begins to receive, and returns how to send. */
export const openChannel = (receive: (message: ToWorker) => void): Send =>
  "Deno" in globalThis ? connectOnDeno(receive) : connectOnNode(receive);

/** Where the host's pipe is, after those for standard input, output and errors. */
const PIPE = 3;

function connectOnNode(receive: (message: ToWorker) => void): Send {
  blockSignalsToOthers();
  const pipe = new Socket({ fd: PIPE });
  const send: Send = (message) => writeMessage(pipe, message, MESSAGE_MAX);
  readMessages(pipe, (message) => receive(message as ToWorker));
  pipe.on("error", () => undefined);
  // The server has ended, however that came.
  pipe.on("close", () => process.exit());
  process.on("uncaughtExceptionMonitor", (error) => send({ fault: reasonOf(error) }));
  // A terminal and a service manager tell these to the server's children as well; a session is closed when the server is.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  return send;
}

/** Node's permission model leaves signals out. They could end the server, or have it open its debugger, and whoever
 * reaches that is the server. */
function blockSignalsToOthers(): void {
  const inner = process as unknown as { _kill(pid: number, signal: number): number; _debugProcess?: unknown };
  const [kill, own] = [inner._kill, process.pid];
  inner._kill = (pid, signal) => (pid === own ? kill(pid, signal) : -constants.errno.EPERM);
  delete inner._debugProcess;
}

type WebScope = { onmessage: (event: { data: ToWorker }) => void; postMessage(message: unknown): void };
type DenoGlobals = { Deno: Record<"stdin" | "stdout", { close(): void }> };

function connectOnDeno(receive: (message: ToWorker) => void): Send {
  const web = globalThis as unknown as WebScope & DenoGlobals;
  const send: Send = (message) => web.postMessage(message);
  redirectOutput((log) => send({ log }), web);
  web.onmessage = ({ data }) => receive(data);
  return send;
}

/** On Deno a worker reads and prints where the server does, and that belongs to MCP. */
function redirectOutput(log: (text: string) => void, { Deno }: DenoGlobals): void {
  const writeLog = (...words: unknown[]) => log(format(...words));
  for (const name of ["log", "info", "debug", "warn", "error", "dir", "table", "trace"] as const)
    console[name] = writeLog;
  for (const name of ["stdout", "stderr"] as const)
    process[name].write = ((chunk: unknown) => {
      log(String(chunk).trimEnd());
      return true;
    }) as (typeof process.stderr)["write"];
  for (const name of ["stdin", "stdout"] as const) Deno[name].close();
}
