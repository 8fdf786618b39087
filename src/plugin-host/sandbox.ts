/** The interface of a sandboxed worker, which Node (child.ts) and Deno (web-worker.ts) implement. */
import type { ToWorker } from "./protocol.ts";

export type Grants = Readonly<{ read: readonly string[]; write: readonly string[]; net: readonly string[] }>;
export type SandboxedWorker = Readonly<{
  post(message: ToWorker): void;
  /** Ends the worker at once, even in an endless loop. */
  end(): Promise<void>;
}>;
export type SandboxOptions = Readonly<{
  program: URL;
  name: string;
  /** Whether the worker may load code over the network. */
  remote: boolean;
  grants: Grants;
  heapMib: number;
  /** Words before the program that make it end with this process. */
  commandPrefix: readonly string[];
  message(value: unknown): void;
  /** One line of the worker's output. */
  line(text: string): void;
  /** Called when the worker has ended by itself. */
  ended(reason: string): void;
}>;
