// An MCP client that is nothing but lines of JSON, so that what is measured is the server.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

type Answer = Readonly<{
  id?: number;
  method?: string;
  result?: Readonly<Record<string, unknown>>;
  error?: unknown;
}>;

export type LineClient = Readonly<{
  ask(method: string, params?: object): Promise<Readonly<Record<string, unknown>>>;
  /** The structured content of a tool's answer. @throws Error when it was refused */
  call(tool: string, args?: object): Promise<Record<string, unknown>>;
  /** What `read` gives at the moment at which the next notification of this kind is there. */
  notified<T>(method: string, read: () => T): Promise<T>;
  close(): Promise<void>;
}>;

/** Starts the server and greets it, as clients of 2025 do. */
export async function openLines(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<LineClient> {
  const [program, ...args] = command;
  const child: ChildProcess = spawn(program!, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  const listening = new Map<string, (() => void)[]>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const answer = JSON.parse(line) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
    else if (answer.method !== undefined) for (const resume of listening.get(answer.method)?.splice(0) ?? []) resume();
  });
  const ended = once(child, "exit");
  const send = (message: object) => child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  let last = 0;
  const client: LineClient = {
    async ask(method, params = {}) {
      const id = ++last;
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      waiting.set(id, resolve);
      void ended.then(() => reject(new Error(`the server ended during ${method}`)));
      send({ id, method, params });
      const { result, error } = await promise;
      waiting.delete(id);
      if (!result) throw new Error(`${method}: ${JSON.stringify(error)}`);
      return result;
    },
    async call(name, args = {}) {
      const { isError, content, structuredContent } = await client.ask("tools/call", { name, arguments: args });
      if (isError) throw new Error(`${name}: ${JSON.stringify(content)}`);
      return structuredContent as Record<string, unknown>;
    },
    notified(method, read) {
      const { promise, resolve } = Promise.withResolvers<ReturnType<typeof read>>();
      listening.set(method, [...(listening.get(method) ?? []), () => resolve(read())]);
      return promise;
    },
    async close() {
      child.stdin!.end();
      await ended;
    },
  };
  await client.ask("initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "bench", version: "1" },
  });
  send({ method: "notifications/initialized" });
  return client;
}
