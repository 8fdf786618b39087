/** What bounds a plugin's worker: what it may reach, and how it is spoken to. */
import type { ToWorker } from "./protocol.ts";

export type Grants = Readonly<{ read: readonly string[]; write: readonly string[]; net: readonly string[] }>;
export type SandboxedWorker = Readonly<{
  post(message: ToWorker): void;
  /** Ends it wherever it is, an endless loop included. */
  end(): Promise<void>;
}>;
export type SandboxOptions = Readonly<{
  program: URL;
  name: string;
  /** Where code may be loaded from over the network. */
  remote: boolean;
  grants: Grants;
  heapMib: number;
  /** The words before a program that end it with this process. */
  commandPrefix: readonly string[];
  message(value: unknown): void;
  /** One line of what it printed. */
  line(text: string): void;
  /** It has ended by itself. */
  ended(reason: string): void;
}>;
