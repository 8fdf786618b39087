/** A real `bootwright serve` on VMs in memory, and a client of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { serverPath } from "./client.ts";
import { memorySettings, temporaryDirectory } from "./memory.ts";

export type HttpAnswer = Readonly<{
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what it is each test says
  body: any;
}>;

export type HttpServer = Readonly<{
  url: string;
  data: string;
  token: string;
  /** The login link that the server printed. */
  login: string;
  process: ReturnType<typeof spawn>;
  stderr: () => string;
  /** The exit code, once it has ended. */
  ended: Promise<number | null>;
  /** Makes one request with the main token, unless `token` is another one or null. */
  ask: (method: string, path: string, body?: unknown, more?: Ask) => Promise<HttpAnswer>;
}>;
export type Ask = Readonly<{
  token?: string | null;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}>;

export type HttpServerOptions = Readonly<{
  data?: string;
  /** Settings of the connection. */
  guest?: readonly string[];
  /** The connection itself, instead of VMs in memory. */
  connection?: string;
  settings?: readonly string[];
  env?: Readonly<Record<string, string>>;
  command?: readonly string[];
}>;

export async function openHttp(options: HttpServerOptions = {}): Promise<HttpServer> {
  const data = options.data ?? temporaryDirectory();
  const [program, ...args] = options.command ?? [process.execPath, serverPath];
  const inMemory = memorySettings(data, ...(options.guest ?? ["installsAfterMs=never"]));
  const where = options.connection ? ["--data", data, "--connection", options.connection] : inMemory;
  const settings = [...where, "--listen", "0"];
  const child = spawn(program!, [...args, ...settings, ...(options.settings ?? []), "serve"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...options.env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  const ended = once(child, "close").then(([code]) => code as number | null);
  const link = await new Promise<string>((resolve, reject) => {
    child.stderr!.on("data", (chunk: Buffer) => {
      stderr += chunk;
      const [, found] = /log in once, within ten minutes: (\S+)/.exec(stderr) ?? [];
      if (found) resolve(found);
    });
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${stderr}`)));
  });
  const url = new URL(link).origin;
  const token = options.env?.BOOTWRIGHT_TOKEN ?? readFileSync(join(data, "http.token"), "utf8").trim();
  return {
    url,
    data,
    token,
    login: link,
    process: child,
    stderr: () => stderr,
    ended,
    ask: (method, path, body, more = {}) => ask(url, method, path, body, { token, ...more }),
  };
}

export async function ask(url: string, method: string, path: string, body: unknown, more: Ask): Promise<HttpAnswer> {
  const response = await fetch(`${url}${path}`, {
    method,
    redirect: "manual",
    headers: {
      ...(more.token && { authorization: `Bearer ${more.token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...more.headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(more.signal && { signal: more.signal }),
  });
  const text = await response.text();
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
