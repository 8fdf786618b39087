/** A worker on Node: a child process under Node's permission model, connected by a dedicated pipe. */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { real } from "./files.ts";
import { MESSAGE_MAX, readMessages, writeMessage } from "./ipc-framing.ts";
import type { Grants, SandboxedWorker, SandboxOptions } from "./sandbox.ts";

export function startChild(options: SandboxOptions): SandboxedWorker {
  const { program, grants, heapMib, commandPrefix: tether, message, line, ended } = options;
  const words = [...tether, process.execPath, ...flagsFor(grants, heapMib), fileURLToPath(program)];
  const child = spawn(words[0]!, words.slice(1), { env: {}, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  // The streams are missing when this process can open no more files. "error" then reports it.
  const [, stdout, stderr, pipe] = (child.stdio ?? []) as unknown as [null, Readable?, Readable?, Duplex?];
  let heapFull = false;
  if (stdout) readLines(stdout, line);
  if (stderr)
    readLines(stderr, (text) => {
      heapFull ||= text.includes("JavaScript heap out of memory");
      line(text);
    });
  // A write to an ended child fails. The child's "close" says how it ended.
  pipe?.on("error", () => undefined);
  // A child without its pipe is of no use.
  pipe?.on("close", () => child.kill("SIGKILL"));
  if (pipe) readMessages(pipe, message, MESSAGE_MAX);

  const { promise: gone, resolve: go } = Promise.withResolvers<void>();
  const over = (reason: string) => {
    go();
    ended(reason);
  };
  child.on("error", (error) => over(error.message));
  // Not "exit": output and messages from before the end are read first.
  child.on("close", (code, signal) => {
    if (heapFull && signal === "SIGABRT") over(`its worker reached its memory limit of ${heapMib} MiB`);
    else over(signal ? `its worker was ended by ${signal}` : `its worker ended with code ${code}`);
  });
  return {
    post(value) {
      if (pipe?.writable) writeMessage(pipe, value);
    },
    async end() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** A program under `--permission` may do only what these flags allow. Two gaps remain: `node:sqlite` opens any file, so it
 * is disabled, and Node restricts the network only from version 25 on, and only as a whole. */
function flagsFor({ read, write, net }: Grants, heapMib: number): string[] {
  const known = (flag: string) => (process.allowedNodeEnvironmentFlags.has(flag) ? [flag] : []);
  return [
    "--permission",
    ...grant("--allow-fs-read", read),
    ...grant("--allow-fs-write", write),
    ...(net.length > 0 ? known("--allow-net") : []),
    ...known("--no-experimental-sqlite"),
    `--max-old-space-size=${heapMib}`,
    "--disable-warning=ExperimentalWarning",
  ];
}

/** Allows each path and everything below it, both as given and with symbolic links resolved. Paths with a star are left
 * out, since Node reads a star as a wildcard. */
function grant(flag: string, paths: readonly string[]): string[] {
  const places = new Set(paths.flatMap((path) => [resolve(path), real(path)]).filter((path) => !path.includes("*")));
  return [...places].flatMap((path) => [`${flag}=${path}`, `${flag}=${join(path, "*")}`]);
}

const LINE_MAX = 2_000;

function readLines(stream: Readable, line: (text: string) => void): void {
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
