/** A real server on VMs in memory for the tests of tools, with two checks on every call: what a refusal leaves is what
 * was there before, and every fix and next step that is offered is a call that can be made. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect } from "vitest";
import type { z } from "zod";
import type { Config } from "../../plugins/memory/config.ts";
import type { ErrorCode } from "../../src/domain/error.ts";
import { definitionFor, type VmSpec } from "../../src/plugin.ts";
import { toolNamed } from "../../src/tools/call.ts";
import { type Answers, allTools } from "../../src/tools/catalogue.ts";
import { parseInput } from "../../src/tools/respond.ts";
import { type BootwrightClient, openClient, type Refusal } from "../support/client.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { type Command, commandFileOf } from "../support/seeded-plugin.ts";

export type Seed = z.input<typeof Config>;
type Tool = keyof Answers;
type Args = Record<string, unknown>;

export type Harness = Readonly<{
  server: () => BootwrightClient;
  call: <Name extends Tool>(tool: Name, args?: Args) => Promise<Answers[Name]>;
  /** Makes a call that must be refused with this code, and must have changed nothing. */
  refused: (code: ErrorCode, tool: Tool, args?: Args) => Promise<Refusal>;
  /** What guests and other programs do, on this connection. */
  outside: (...commands: Command[]) => void;
  outsideOn: (connection: string, ...commands: Command[]) => void;
}>;

const plugin = fileURLToPath(new URL("../support/seeded-plugin.ts", import.meta.url));

/** Opens a server for the tests of a file or of one describe(): `local` alone, or one connection for each seed. */
export function openHarness(
  seeds: Readonly<Record<string, Seed>> = { local: {} },
  more: readonly string[] = [],
): Harness {
  const directory = temporaryDirectory("file");
  const seedOf = (connection: string) => join(directory, `${connection}.json`);
  let server: BootwrightClient;
  beforeAll(async () => {
    const connections = Object.entries(seeds).flatMap(([name, seed]) => {
      writeFileSync(seedOf(name), JSON.stringify(seed));
      return ["--connection", `${name}=${plugin},seed=${seedOf(name)},installsAfterMs=never`];
    });
    server = await openClient({ settings: ["--data", join(directory, "data"), ...connections, ...more] });
  });
  afterAll(() => server.close());
  const everything = async () => [await server.call("list_vms"), await server.call("list_isos")];
  const harness: Harness = {
    server: () => server,
    async call(tool, args) {
      const answer = await server.call(tool, args);
      expectCallable(answer);
      return answer;
    },
    async refused(code, tool, args) {
      const before = await everything();
      const refusal = await server.refusal(tool, args);
      expect(refusal?.code, JSON.stringify([tool, args, refusal])).toBe(code);
      expectCallable(refusal!.details);
      expect(await everything()).toEqual(before);
      return refusal!;
    },
    outside: (...commands) => harness.outsideOn("local", ...commands),
    outsideOn: (connection, ...commands) => writeFileSync(commandFileOf(seedOf(connection)), JSON.stringify(commands)),
  };
  return harness;
}

/** Every `{ tool, arguments }` in a value names a tool that takes these arguments. */
function expectCallable(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const { tool, arguments: args } = value as { tool?: unknown; arguments?: unknown };
  if (typeof tool === "string" && typeof args === "object") {
    expect(() => parseInput(toolNamed(allTools, tool), args), JSON.stringify(value)).not.toThrow();
  }
  for (const inner of Object.values(value)) expectCallable(inner);
}

/** A UUID that ends with this number. */
export const uuid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

/** A VM that somebody else made, with its disk. */
export function foreign(
  number: number,
  name: string,
  {
    content = "data",
    running = false,
    ...spec
  }: Partial<VmSpec> & { content?: "data" | "blank"; running?: boolean } = {},
): { vm: NonNullable<Seed["vms"]>[number]; disk: NonNullable<Seed["disks"]>[number] } {
  const diskPath = `/memory/images/${name}.qcow2`;
  const next = definitionFor({
    uuid: uuid(number),
    name,
    memoryBytes: 1024 ** 3,
    cpus: 1,
    firmware: "bios",
    tpm: false,
    diskPath,
    diskBus: "virtio",
    diskTarget: "vda",
    driveTarget: "sda",
    network: "none",
    order: "hd",
    serialLog: `/memory/images/${name}.log`,
    acceleration: "tcg",
    claim: { uuid: uuid(number), revision: 1, status: "NotInstalled" },
    ...spec,
  });
  return {
    vm: { uuid: uuid(number), name, next, running },
    disk: { path: diskPath, content, bootsBios: content === "data", bootsUefi: content === "data" },
  };
}

export const seedOf = (...all: readonly ReturnType<typeof foreign>[]): Seed => ({
  vms: all.map(({ vm }) => vm),
  disks: all.map(({ disk }) => disk),
});
