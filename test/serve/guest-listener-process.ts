// A process that listens for guests with a store of its own: `guest-listener-process.ts DATA`. It prints where it listens
// and ends with its input. Its plugin says how many bytes it was sent, and refuses what begins with "no".

import { listenForGuests } from "../../src/serve/guest-listener.ts";
import { openSqliteStore } from "../../src/store/sqlite/store.ts";

const [data] = process.argv.slice(2) as [string];
const store = await openSqliteStore({
  directory: data,
  imageDirectory: "/images",
  connection: "local",
  newId: () => crypto.randomUUID(),
});
const listener = listenForGuests({
  address: "127.0.0.1",
  port: 0,
  connections: ["local"],
  store: async () => store,
  handle: async (_plugin, request) => {
    const text = await request.text();
    return new Response(`${text.length} bytes\n`, { status: text.startsWith("no") ? 503 : 200 });
  },
  log: (message) => console.error(message),
  defect: (error) => {
    console.error(error);
    return "";
  },
  rate: { burst: 1_000, perSecond: 1_000 },
  requestLimitMs: 1_500,
});
console.log((await listener.listening).port);
for await (const _ of process.stdin);
await listener.close();
await store.close();
process.exit(0);
