// From an event of libvirt's to those who asked for it: a bare client of libvirt's own events, an MCP client that subscribed
// to the VM, and a plugin's function. And how many events five subscribers take in a second.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Libvirt } from "../plugins/libvirt/client/libvirt.ts";
import { deliver } from "../src/domain/events/deliver.ts";
import type { DomainEvent } from "../src/domain/model/event.ts";
import { openSqliteStore } from "../src/store/sqlite/store.ts";
import type { LineClient } from "./line-client.ts";
import { type Times, timesOf } from "./measure.ts";

/** Clocks of two processes on one machine agree by far better than a millisecond. */
export const clockMs = (): number => performance.timeOrigin + performance.now();

/** A plugin that writes down when it was told of what. */
export const plugin = `import { appendFileSync } from "node:fs";
import { dirname } from "node:path";
import { definePlugin, z } from "bootwright/plugin";
const note = (file, event) =>
  appendFileSync(file, JSON.stringify({ type: event.type, at: performance.timeOrigin + performance.now() }) + "\\n");
export default definePlugin({
  manifest: { name: "clock", api: 1, summary: "Writes down when it was told" },
  config: z.object({ file: z.string() }),
  reach: ({ file }) => ({ write: [dirname(file)] }),
  open: async ({ file }) => file,
  on: { "vm.paused": note, "vm.resumed": note },
});
`;

export type Latencies = Readonly<{ bare: Times; client: Times; plugin: Times }>;

/** Pauses a running VM and has it go on, as another program would, and waits for all three each time. */
export async function latencies(
  libvirt: Libvirt,
  server: LineClient,
  { vm, uuid, noted, rounds }: Readonly<{ vm: string; uuid: string; noted: string; rounds: number }>,
): Promise<Latencies> {
  const uri = `vm://${uuid}`;
  await server.ask("resources/subscribe", { uri });
  const events = await libvirt.subscribe(["lifecycle"]);
  const domain = await libvirt.domainLookupByName(vm);
  const heard: Record<keyof Latencies, number[]> = { bare: [], client: [], plugin: [] };
  const lines = async () => (await readFile(noted, "utf8").catch(() => "")).split("\n").filter(Boolean);
  for (let round = -4; round < 2 * rounds; round++) {
    const before = (await lines()).length;
    const notified = server.notified("notifications/resources/updated", clockMs);
    const bare = events.next().then(clockMs);
    const began = clockMs();
    await (round % 2 === 0 ? libvirt.domainSuspend(domain) : libvirt.domainResume(domain));
    const [atBare, atClient] = await Promise.all([bare, notified]);
    let line: string | undefined;
    while (line === undefined) {
      await sleep(2);
      line = (await lines())[before];
    }
    // More than 20 updates a second of one resource are put together; a person who pauses a VM is slower.
    await sleep(60);
    if (round < 0) continue;
    heard.bare.push(atBare - began);
    heard.client.push(atClient - began);
    heard.plugin.push((JSON.parse(line) as { at: number }).at - began);
  }
  await events.return();
  return { bare: timesOf(heard.bare), client: timesOf(heard.client), plugin: timesOf(heard.plugin) };
}

const SUBSCRIBERS = 5;

/** Events in a second: written as operations end them, taken by each of five subscribers, and only read in pages. */
export async function throughput(directory: string, many: number): Promise<Readonly<{ taken: number; read: number }>> {
  await mkdir(directory, { recursive: true });
  const store = await openSqliteStore({
    directory,
    imageDirectory: "/images",
    connection: "local",
    newId: () => crypto.randomUUID(),
  });
  const names = Array.from({ length: SUBSCRIBERS }, (_, index) => `subscriber-${index}`);
  for (const name of names) await store.feed(name, 1);
  const eventOf = (number: number): DomainEvent => ({
    specversion: "1.0",
    id: `event-${number}`,
    source: "bootwright/local",
    type: "vm.started",
    subject: `vm-${number % 100}`,
    time: new Date().toISOString(),
    data: { number },
  });
  for (let number = 0; number < many; number += 100) {
    const events = Array.from({ length: 100 }, (_, index) => eventOf(number + index));
    await store.report({ connection: "local", uuid: `batch-${number}` }, undefined, null, events);
  }
  const ending = new AbortController();
  const counts = new Map(names.map((name) => [name, 0]));
  const { promise, resolve: allTaken } = Promise.withResolvers<void>();
  const began = performance.now();
  const delivering = names.map((name) =>
    deliver(
      {
        name,
        types: ["vm.started"],
        async deliver() {
          counts.set(name, counts.get(name)! + 1);
          if ([...counts.values()].every((count) => count === many)) allTaken();
        },
      },
      { journal: store, now: () => new Date(), log: (message) => console.error(message) },
      ending.signal,
    ),
  );
  await promise;
  const taken = performance.now() - began;
  ending.abort();
  await Promise.all(delivering);
  const from = performance.now();
  for (let round = 0; round < SUBSCRIBERS; round++)
    for (let place = 0; place < many; ) place = (await store.events(place, 100)).at(-1)!.seq;
  const read = performance.now() - from;
  await store.close();
  const perSecond = (ms: number) => Math.round((SUBSCRIBERS * many * 1000) / ms);
  return { taken: perSecond(taken), read: perSecond(read) };
}

export async function writePlugin(directory: string): Promise<string> {
  const path = join(directory, "clock.mjs");
  await writeFile(path, plugin);
  return path;
}
