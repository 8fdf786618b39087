/** A server process with nothing between it and the test: lines in, lines out. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { serverPath } from "../support/client.ts";

export type Message = Readonly<{
  id?: number;
  method?: string;
  result?: { isError?: boolean; structuredContent?: Record<string, unknown> };
  error?: { code: number; data?: unknown };
}>;

export type RawServer = Readonly<{
  process: ChildProcessWithoutNullStreams;
  /** Every line that the server wrote to stdout. */
  lines: string[];
  stderr: () => string;
  send: (message: object) => void;
  /** Asks, and waits for the answer of the same id. */
  ask: (method: string, params: object) => Promise<Message>;
  call: (tool: string, args: object) => Promise<Message>;
  /** Waits for a line that says so. */
  heard: (text: string) => Promise<void>;
  ended: Promise<{ code: number | null; signal: string | null }>;
}>;

/** Starts a server; with `handshake` a client of 2025 has introduced itself. */
export async function openRaw(settings: readonly string[], { handshake = true } = {}): Promise<RawServer> {
  const child = spawn(process.execPath, [serverPath, ...settings], { stdio: "pipe" });
  const ended = once(child, "exit").then(([code, signal]) => ({ code, signal }));
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on("error", () => undefined);
  const lineWith = (found: (line: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const line = lines.find(found);
        if (line === undefined) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
      look();
      void ended.then(({ code }) => reject(new Error(`the server ended with ${code}: ${stderr}`)));
    });
  let asked = 0;
  const server: RawServer = {
    process: child,
    lines,
    stderr: () => stderr,
    send: (message) => void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`),
    async ask(method, params) {
      const id = ++asked;
      server.send({ id, method, params });
      return JSON.parse(await lineWith((line) => (JSON.parse(line) as Message).id === id)) as Message;
    },
    call: (name, args) => server.ask("tools/call", { name, arguments: args, _meta: { progressToken: "steps" } }),
    heard: async (text) => void (await lineWith((line) => line.includes(text))),
    ended,
  };
  if (handshake) await shakeHands(server);
  return server;
}

const clientInfo = { name: "raw", version: "1" };

/** What a client of 2025 begins with. */
export async function shakeHands(server: RawServer): Promise<Message> {
  const answer = await server.ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
  server.send({ method: "notifications/initialized" });
  return answer;
}

/** What a client of 2026 sends with every request. */
export const envelope = {
  _meta: {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": clientInfo,
    "io.modelcontextprotocol/clientCapabilities": {},
  },
};
