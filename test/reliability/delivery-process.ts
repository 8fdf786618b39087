/** A process that settles operations with events and delivers these to a subscriber until it is killed. The subscriber writes
 * each into a file behind a line `#` of this process's own. With `drain` the process only delivers what is left, and ends.
 * `delivery-process.ts <directory> <file> [drain]` */
import { appendFileSync } from "node:fs";
import { argv } from "node:process";
import { deliver } from "../../src/domain/events/deliver.ts";
import type { DomainEvent } from "../../src/domain/model/event.ts";
import { openSqliteStore } from "../../src/store/sqlite/store.ts";

const [directory = "", file = "", drain] = argv.slice(2);
const store = await openSqliteStore({
  directory,
  imageDirectory: "/images",
  connection: "local",
  newId: () => crypto.randomUUID(),
});
const ending = new AbortController();
let delivered = 0;
await store.feed("file", 1);
appendFileSync(file, "#\n");
const subscriber = {
  name: "file",
  types: ["vm.started"],
  async deliver({ id, subject }: DomainEvent) {
    if (Math.random() < 0.05) throw new Error("not taken, and not written");
    appendFileSync(file, `${subject} ${id}\n`);
    delivered += 1;
    if (drain === undefined) console.log("delivered");
  },
} as const;
const log = (message: string) => process.stderr.write(`${message}\n`);
const delivering = deliver(subscriber, { journal: store, now: () => new Date(), log, pauseMs: 2 }, ending.signal);

const eventOf = (id: string, subject: string): DomainEvent => ({
  specversion: "1.0",
  id,
  source: "bootwright/local",
  type: "vm.started",
  subject,
  time: new Date().toISOString(),
  data: {},
});

if (drain === undefined) {
  for (let count = 0; ; count++) {
    const uuid = `vm-${count % 3}`;
    const id = crypto.randomUUID();
    const operation = {
      id,
      target: { connection: "local", uuid },
      actor: "test",
      what: "start_vm",
      steps: [],
    } as const;
    await store.begin({ ...operation, direction: "forward", status: "begun", begunAt: new Date().toISOString() });
    const events = [eventOf(`${id}:0`, uuid), eventOf(`${id}:1`, uuid)];
    await store.settle(id, { status: "applied", steps: [], events });
  }
}
for (;;) {
  const { events, waitingFor } = await store.feed("file", 1);
  if (events.length === 0 && waitingFor.length === 0) break;
  await new Promise((wake) => setTimeout(wake, 20));
}
ending.abort();
await delivering;
await store.close();
console.log(`drained ${delivered}`);
