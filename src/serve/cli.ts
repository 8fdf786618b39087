/** The command line: makes one tool call, or lists the tools. */
import { DomainError } from "../domain/error.ts";
import { isActive, type Job } from "../domain/model/job.ts";
import { toolNamed } from "../tools/call.ts";
import { refusalOf, refusalText } from "../tools/respond.ts";
import type { Tool } from "../tools/tool.ts";
import type { AppContext } from "./app-context.ts";
import { defectOf } from "./defect.ts";
import { dispatcherFor, ownUser } from "./dispatch.ts";
import { createInFlightCalls } from "./in-flight-calls.ts";
import { parseArgument, parseJson } from "./parse-argument.ts";
import { type ProgressLine, progressLine } from "./progress-line.ts";
import { isRefusal, refusalIn } from "./surface-error.ts";

export const EXIT = { ok: 0, refused: 1, usage: 2, defect: 3 } as const;

export const usage = `Usage:
  bootwright [settings]                                  serve MCP on stdin and stdout
  bootwright [settings] call TOOL [key=value …] [--json '{…}']
                                                         make one call and print its JSON result
  bootwright [settings] tools                            list the tools
  bootwright [settings] serve                            serve REST and events below /api over HTTP, MCP at /mcp
  bootwright [settings] token add NAME --scope SCOPE …   make a further token for serve: vm:read, vm:write, vm:destroy
  bootwright [settings] token list | remove NAME         list the further tokens, remove one
  bootwright plugin new NAME [DIRECTORY]                 write a working plugin with its test

Exit codes of call: 0 done, 1 refused (coded error on stderr, and as JSON on stdout), 2 wrong usage, 3 defect.
`;

const print = (value: unknown) =>
  process.stdout.write(`${typeof value === "string" ? value : JSON.stringify(value, null, 2)}\n`);
const complain = (text: string) => process.stderr.write(`${text}\n`);

export function listTools(tools: readonly Tool[]): void {
  const width = Math.max(...tools.map(({ name }) => name.length));
  for (const { name, description } of tools) print(`${name.padEnd(width)}  ${description}`);
}

/** Runs `call`. Returns the exit code. */
export async function callCommand(
  appContext: AppContext,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    complain(usage);
    return EXIT.usage;
  }
  let input: Record<string, unknown>;
  try {
    input = readArguments(toolNamed(appContext.tools, name), rest);
  } catch (error) {
    complain(
      error instanceof DomainError
        ? refusalText(refusalOf(error))
        : error instanceof Error
          ? error.message
          : String(error),
    );
    return EXIT.usage;
  }
  const line = progressLine(process.stderr);
  try {
    const callbacks = { progress: line.show, log: () => {} };
    // A person at a terminal reads the question in the refusal. A program that drives this command is no person.
    const principal = ownUser("cli", process.stdin.isTTY ? "person" : "program");
    const { call } = dispatcherFor({ appContext, inFlight: createInFlightCalls() });
    const answer = await call(principal, name, input, { signal, ...callbacks });
    line.end();
    print(answer);
    return (await waitForJobs(appContext, line, signal)) ? EXIT.ok : EXIT.refused;
  } catch (error) {
    line.end();
    if (!isRefusal(error)) {
      complain(`DEFECT: ${defectOf(appContext, error).message}`);
      return EXIT.defect;
    }
    const refusal = refusalIn(error);
    complain(refusalText(refusal));
    print({ error: refusal });
    return EXIT.refused;
  }
}

/** Waits for the jobs that the call began, which would end with this process. After an interrupt a server continues them.
 * Returns false if a job failed or was cancelled. */
async function waitForJobs(
  { services: { jobs } }: AppContext,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<boolean> {
  if (jobs.count() === 0) return true;
  const last = new Map<string, Job>();
  const endListening = jobs.onProgress((job) => {
    const { id, title, message, percent } = job;
    last.set(id, job);
    if (isActive(job)) line.show(message === undefined ? title : `${title}: ${message}`, percent);
  });
  const interrupted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  if (!signal.aborted) await Promise.race([jobs.idle(), interrupted]);
  endListening();
  line.end();
  for (const { id, title, status, error } of last.values()) {
    if (error) complain(`${title}: ${error.code}: ${error.message}`);
    else if (isActive({ status })) complain(`${title}: the next server on this database continues it as job ${id}`);
    else complain(`${title}: ${status}`);
  }
  return [...last.values()].every(({ status }) => status !== "failed" && status !== "cancelled");
}

/** The arguments of a call: key=value pairs, which take precedence over --json.
 * @throws Error for an argument that cannot be read */
export function readArguments(tool: Tool, rest: readonly string[]): Record<string, unknown> {
  const pairs: Record<string, unknown> = {};
  let json: Record<string, unknown> = {};
  for (let index = 0; index < rest.length; index++) {
    const text = rest[index]!;
    if (text === "--json") {
      json = readJsonObject(rest[++index] ?? "");
      continue;
    }
    const at = text.indexOf("=");
    if (at < 1) throw new Error(`Cannot read "${text}": expected key=value`);
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    if (Object.hasOwn(pairs, key)) throw new Error(`Cannot read "${text}": ${key} is given twice`);
    pairs[key] = parseArgument(tool, key, value);
  }
  return { ...json, ...pairs };
}

function readJsonObject(text: string): Record<string, unknown> {
  const value = parseJson(text);
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error("Cannot read --json: expected a JSON object");
}
