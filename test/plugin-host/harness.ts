/** Functions of plugins in real workers, and what they said. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, onTestFinished } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import type { Subscriber } from "../../src/domain/events/subscriber.ts";
import type { DomainEvent } from "../../src/domain/model/event.ts";
import {
  openPluginFunctions,
  type PluginFunctions,
  type PluginFunctionsOptions,
  type PluginTools,
} from "../../src/plugin-host/plugin-functions.ts";
import { temporaryDirectory } from "../support/memory.ts";

export const acts = fileURLToPath(new URL("./plugins/acts.ts", import.meta.url));
const api = new URL("../../src/plugin.ts", import.meta.url).href;

let count = 0;
export const event = (data: DomainEvent["data"] = {}, more: Partial<DomainEvent> = {}): DomainEvent => ({
  specversion: "1.0",
  id: `op-${++count}:0`,
  source: "bootwright/local",
  type: "vm.started",
  subject: "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c01",
  time: "2026-11-23T10:00:00.000Z",
  data,
  ...more,
});

const noTools: PluginTools = {
  call: () => Promise.reject(new Error("no tool was to be called")),
};

export type Opened = PluginFunctions &
  Readonly<{
    lines: readonly string[];
    /** Resolves once a line says this. */
    said(text: string): Promise<void>;
    subscriber(name?: string): Subscriber;
    deliver(data: DomainEvent["data"], name?: string): Promise<void>;
  }>;

/** Closed with the test. */
export async function open(
  plugins: PluginFunctionsOptions["plugins"],
  more: Partial<Pick<PluginFunctionsOptions, "tools" | "limits" | "shipped" | "data">> = {},
): Promise<Opened> {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const functions = await openPluginFunctions({
    plugins,
    shipped: () => undefined,
    tools: noTools,
    fingerprint: (meaning) => `key of ${meaning}`,
    data: temporaryDirectory(),
    cacheDirectory: temporaryDirectory(),
    log(plugin, line) {
      lines.push(`${plugin}: ${line}`);
      for (const look of waiting) look();
    },
    ...more,
  });
  onTestFinished(() => functions.close());
  const subscriber = (name?: string) => {
    const all = functions.subscribers();
    const found = name === undefined ? all[0] : all.find((one) => one.name === name);
    expect(found, `a subscriber ${name ?? ""}`).toBeDefined();
    return found!;
  };
  return {
    ...functions,
    lines,
    said: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (!lines.some((line) => line.includes(text))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    subscriber,
    deliver: (data, name) => subscriber(name).deliver(event(data), new AbortController().signal),
  };
}

export const refusalOf = async (work: Promise<unknown>): Promise<DomainError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DomainError);
  return error as DomainError;
};

/** A plugin written for one test; `%API%` is where `definePlugin` comes from. */
export function pluginFile(text: string, name = "plugin.ts"): string {
  const path = join(temporaryDirectory(), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text.replaceAll("%API%", api));
  return path;
}

export const urlOf = (path: string) => pathToFileURL(path);
