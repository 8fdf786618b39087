/** Runs one program to its exit, whatever its exit code: a list of arguments, no shell, a small environment, a time
 * limit. */
import { spawn } from "node:child_process";

export type Ended = Readonly<{ code: number | null; stdout: string; stderr: string; timedOut: boolean }>;

const OUTPUT_CHARACTERS_MAX = 64 * 1024;

/** Returns the program's exit code and output. @throws Error when it cannot start; the signal's reason */
export async function runToExit(
  command: string,
  args: readonly string[],
  { timeoutMs, signal }: Readonly<{ timeoutMs: number; signal?: AbortSignal | undefined }>,
): Promise<Ended> {
  signal?.throwIfAborted();
  // The program's output is shown, so it must not follow the user's language.
  const env: Record<string, string> = { LC_ALL: "C", PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
  if (process.env.TMPDIR !== undefined) env.TMPDIR = process.env.TMPDIR;
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  const heard = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      heard[stream] = (heard[stream] + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
  }
  let timedOut = false;
  const kill = () => child.kill("SIGKILL");
  const limit = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal?.addEventListener("abort", kill, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) =>
        reject(error.code === "ENOENT" ? new Error(`${command} is not installed`, { cause: error }) : error),
      );
      child.once("close", resolve);
    });
    signal?.throwIfAborted();
    return { code, ...heard, timedOut };
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener("abort", kill);
  }
}

/** Describes why a program failed, from the end of its output. */
export const describeFailure = (command: string, { code, stderr, timedOut }: Ended, timeoutMs: number): string => {
  if (timedOut) return `${command} had not started after ${timeoutMs / 1000} s`;
  // Control characters could come from a file's name.
  const said = stderr
    .trim()
    .slice(-1_000)
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ");
  return said || `${command} ended with ${code}`;
};
