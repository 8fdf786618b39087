/** A thread that runs a worker's program: a worker thread on Node, a web worker with permissions of its own on Deno. */
import { Worker } from "node:worker_threads";
import type { ToWorker } from "./protocol.ts";

export type Grants = Readonly<{ read: readonly string[]; write: readonly string[]; net: readonly string[] }>;

export type Thread = Readonly<{
  post(message: ToWorker): void;
  /** Ends it wherever it is, an endless loop included. */
  end(): Promise<void>;
}>;

export type ThreadOptions = Readonly<{
  program: URL;
  name: string;
  /** Where code may be loaded from over the network. */
  remote: boolean;
  grants: Grants;
  heapMib: number;
  message(value: unknown): void;
  /** One line of what it printed. */
  line(text: string): void;
  /** It has ended by itself. */
  ended(reason: string): void;
}>;

export const startThread = (options: ThreadOptions): Thread =>
  "Deno" in globalThis ? startOnDeno(options) : startOnNode(options);

function startOnNode({ program, name, heapMib, message, line, ended }: ThreadOptions): Thread {
  const worker = new Worker(program, {
    name,
    env: {},
    argv: [],
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: heapMib / 4, stackSizeMb: 4 },
  });
  worker.on("message", message);
  let reason: string | undefined;
  worker.on("error", (error: unknown) => {
    reason = error instanceof Error ? error.message : String(error);
  });
  worker.on("exit", (code) => ended(reason ?? `its worker ended with code ${code}`));
  for (const stream of [worker.stdout, worker.stderr]) lines(stream, line);
  return {
    post: (value) => worker.postMessage(value),
    async end() {
      await worker.terminate();
    },
  };
}

const LINE_MAX = 2_000;

function lines(stream: NodeJS.ReadableStream, line: (text: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = (parts.pop() ?? "").slice(-LINE_MAX);
    for (const part of parts) line(part.slice(0, LINE_MAX));
  });
  stream.on("end", () => {
    if (rest) line(rest);
  });
}

type Descriptor = Readonly<{ name: string; path?: string; host?: string }>;
type WebWorker = {
  postMessage(value: unknown): void;
  terminate(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null;
};
type DenoGlobals = {
  Deno: { permissions: { querySync(descriptor: Descriptor): { state: string } } };
  Worker: new (url: string, options: object) => WebWorker;
};

/** A worker may have no more than the server has, and asking for more is an error: what the server may not do is left
 * out, and the plugin is told so when it tries. */
function startOnDeno({ program, name, remote, grants, message, ended }: ThreadOptions): Thread {
  const { Deno, Worker: Web } = globalThis as unknown as DenoGlobals;
  const held = (wanted: readonly string[], descriptor: (one: string) => Descriptor) =>
    wanted.filter((one) => Deno.permissions.querySync(descriptor(one)).state === "granted");
  const permissions = {
    read: held(grants.read, (path) => ({ name: "read", path })),
    write: held(grants.write, (path) => ({ name: "write", path })),
    net: held(grants.net, (host) => ({ name: "net", host })),
    import: remote ? "inherit" : false,
    run: false,
    env: false,
    sys: false,
    ffi: false,
  };
  const worker = new Web(program.href, { type: "module", name, deno: { permissions } });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    ended(event.message);
  };
  return {
    post: (value) => worker.postMessage(value),
    async end() {
      worker.terminate();
    },
  };
}
