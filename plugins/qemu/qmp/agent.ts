/** The guest agent's protocol: QMP's lines without greeting and ids, over a channel to the guest. */
import { randomInt } from "node:crypto";
import { createLines } from "./frames.ts";
import { connectUnix } from "./socket.ts";

/** The limit of an answer in bytes: more than any expected one, since a guest could send without end. */
const LINE_BYTES_MAX = 1024 ** 2;

/** No agent answers, or not in this protocol. */
export class AgentSilent extends Error {}

export type AgentCommand = Readonly<{ execute: string; arguments?: Readonly<Record<string, unknown>> }>;
type Message = Readonly<Record<string, unknown>>;

/** Sends the commands one after the other, and returns their answers; undefined for one that the agent refuses.
 * @throws AgentSilent; the signal's reason */
export async function askAgent(
  path: string,
  commands: readonly AgentCommand[],
  { timeoutMs, signal }: Readonly<{ timeoutMs: number; signal?: AbortSignal | undefined }>,
): Promise<unknown[]> {
  signal?.throwIfAborted();
  const socket = await connectUnix(path).catch((error: Error) => {
    throw new AgentSilent(error.message);
  });
  const messages: Message[] = [];
  let wake = () => {};
  let ended: Error | undefined;
  const end = (error: Error) => {
    ended ??= error;
    socket.destroy();
    wake();
  };
  const lines = createLines(LINE_BYTES_MAX);
  socket.on("data", (bytes: Buffer) => {
    try {
      messages.push(...lines.push(bytes).flatMap(messageIn));
      wake();
    } catch (error) {
      end(new AgentSilent((error as Error).message));
    }
  });
  socket.on("error", (error) => end(new AgentSilent(error.message)));
  socket.on("close", () => end(new AgentSilent("QEMU closed the channel")));
  const limit = setTimeout(() => end(new AgentSilent(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  const stop = () => end(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });

  const next = async (): Promise<Message> => {
    for (;;) {
      const message = messages.shift();
      if (message) return message;
      if (ended) throw ended;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const say = (command: AgentCommand) => socket.write(`${JSON.stringify(command)}\n`);
  try {
    // Late answers to an earlier client may come first.
    const id = randomInt(2 ** 31);
    say({ execute: "guest-sync", arguments: { id } });
    while ((await next()).return !== id);
    const answers: unknown[] = [];
    for (const command of commands) {
      say(command);
      const answer = await next();
      answers.push("error" in answer ? undefined : answer.return);
    }
    return answers;
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener("abort", stop);
    socket.destroy();
  }
}

/** The answer in a line; anything else that a guest writes is ignored. */
function messageIn(line: string): Message[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? [value as Message] : [];
  } catch {
    return [];
  }
}
