/** A worker's end of the channel to the server, on Node and on Deno. */
import { Socket } from "node:net";
import { constants } from "node:os";
import { format } from "node:util";
import { MESSAGE_MAX, readMessages, writeMessage } from "./ipc-framing.ts";
import { reasonOf } from "./load.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

type Send = (message: FromWorker) => void;

/** Begins to receive. Returns the function that sends. */
export const openChannel = (receive: (message: ToWorker) => void): Send =>
  "Deno" in globalThis ? connectOnDeno(receive) : connectOnNode(receive);

/** The file descriptor of the server's pipe, after stdin, stdout and stderr. */
const PIPE = 3;

function connectOnNode(receive: (message: ToWorker) => void): Send {
  blockSignalsToOthers();
  const pipe = new Socket({ fd: PIPE });
  const send: Send = (message) => writeMessage(pipe, message, MESSAGE_MAX);
  readMessages(pipe, (message) => receive(message as ToWorker));
  pipe.on("error", () => undefined);
  // The server has ended.
  pipe.on("close", () => process.exit());
  process.on("uncaughtExceptionMonitor", (error) => send({ fault: reasonOf(error) }));
  // A terminal and a service manager send these signals to the server's children too. The server closes its sessions itself.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  return send;
}

/** Node's permission model does not cover signals. A signal can end the server or open its debugger, which runs code as the
 * server. */
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

/** On Deno a worker shares the server's stdin and stdout, which belong to MCP. */
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
