/** Runs one program with a list of arguments: no shell, a small environment, a time limit, bounded output. A failure is
 * a refusal. */
import { DomainError } from "../domain/error.ts";
import type { ProgramOptions, ProgramResult } from "../domain/ports/host-access.ts";

/** The last lines, which give the reason; earlier ones are often warnings. Control characters may come from a file's
 * name. */
const tail = (text: string): string =>
  text
    .trim()
    .slice(-500)
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ");

const programEnvironment = () =>
  ({
    reject: false,
    stdin: "ignore",
    extendEnv: false,
    // qemu-img's messages are parsed and shown, so they must not follow the user's language.
    env: {
      LC_ALL: "C",
      PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
      TMPDIR: process.env.TMPDIR ?? "/tmp",
    },
  }) as const;

/** The prefix of a command that makes the program end with this process, however this process ends. Otherwise the
 * program continues to write a file after the next process has observed it and settled the operation. Empty if
 * util-linux's setpriv is missing or may not run. */
let parentDeathWrapper: Promise<readonly string[]> | undefined;
async function findParentDeathWrapper(): Promise<readonly string[]> {
  const { execa } = await import("execa");
  const words = ["setpriv", "--pdeathsig", "KILL", "--"];
  const { failed } = await execa(words[0]!, [...words.slice(1), "true"], { ...programEnvironment(), timeout: 5_000 });
  return failed ? [] : words;
}

/** Runs `command` to its end.
 * @throws DomainError IMAGE_TOOL_FAILED when it cannot start, fails or takes too long; the signal's reason on abort */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  const { timeoutMs, signal, outputBytesMax = 1 << 20, exitCodes = [0] } = options;
  signal?.throwIfAborted();
  // Loaded only when needed, since it would take a sixth of the server's start.
  const { execa } = await import("execa");
  parentDeathWrapper ??= findParentDeathWrapper();
  const [program, ...before] = [...(await parentDeathWrapper), command];
  const result = await execa(program!, [...before, ...args], {
    ...programEnvironment(),
    timeout: timeoutMs,
    maxBuffer: outputBytesMax,
    forceKillAfterDelay: 1_000,
    ...(signal && { cancelSignal: signal }),
  });
  if (result.isCanceled) signal?.throwIfAborted();
  if (result.isMaxBuffer) return { stdout: "", exitCode: 0, tooLong: true };
  if (result.exitCode !== undefined && exitCodes.includes(result.exitCode)) {
    return { stdout: result.stdout, exitCode: result.exitCode, tooLong: false };
  }
  // setpriv's exit code for a missing program, as a shell's.
  const notThere = result.code === "ENOENT" || (before.length > 0 && result.exitCode === 127);
  const shown = [command, ...args.slice(0, 1)].join(" ");
  const reason = result.timedOut
    ? `it did not end within ${timeoutMs} ms`
    : notThere
      ? `${command} is not installed`
      : tail(result.stderr) || tail(result.shortMessage ?? "") || `exit code ${result.exitCode}`;
  throw new DomainError("IMAGE_TOOL_FAILED", { command: shown, reason });
}
