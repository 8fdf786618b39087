// @module-tag process
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sql, temporaryDirectory } from "../store/fixture.ts";
import { figure, scaled } from "../support/scale.ts";

const script = fileURLToPath(new URL("delivery-process.ts", import.meta.url));
const kills = scaled(100, 25);
/** Before a process is killed, it has made some of so many deliveries. */
const DELIVERIES_MAX = 8;

/** Goal: an event that was written is delivered, whenever the process dies: between the outcome and the delivery, in the
 * middle of it, before the subscriber's place is kept; and it comes twice only where a process died in between. Method:
 * processes that settle and deliver all the time are killed at random moments; what the subscriber wrote is compared with
 * the journal. What a loss of power does is not seen. */
test(`Nothing is lost over ${kills} kills, and what comes twice has the same id and a kill in between`, {
  timeout: 600_000,
}, async () => {
  const directory = temporaryDirectory();
  const file = join(directory, "delivered");
  const run = (...more: string[]) => spawn(process.execPath, [script, directory, file, ...more], { stdio: "pipe" });
  let counted = 0;
  for (let kill = 0; kill < kills; kill++) {
    const child = run();
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = 1 + Math.floor(Math.random() * DELIVERIES_MAX);
    for (let count = 0; count < first; count++) expect((await lines.next()).value).toBe("delivered");
    counted += first;
    // Any place of the work that comes next.
    await after(Math.random() * 20);
    child.kill("SIGKILL");
    await once(child, "close");
  }
  const last = run("drain");
  expect(await once(last, "close")).toEqual([0, null]);

  const written = sql(directory, "select id, subject from events order by seq");
  const perProcess = readFileSync(file, "utf8")
    .split("#\n")
    .map((part) => part.split("\n").filter(Boolean));
  for (const part of perProcess) expect(part).toEqual([...new Set(part)]);
  const deliveries = perProcess.flat().map((line) => line.split(" ") as [string, string]);
  const ids = new Set(deliveries.map(([, id]) => id));
  expect(written.filter(({ id }) => !ids.has(String(id)))).toEqual([]);
  expect([...ids].filter((id) => !written.some((event) => event.id === id))).toEqual([]);
  for (const vm of new Set(deliveries.map(([subject]) => subject))) {
    const inOrder = written.filter(({ subject }) => subject === vm).map(({ id }) => id);
    expect([...new Set(deliveries.filter(([subject]) => subject === vm).map(([, id]) => id))]).toEqual(inOrder);
  }
  expect(deliveries.length).toBeGreaterThanOrEqual(counted);
  figure(
    "deliveries over kills",
    `${kills} kills, ${written.length} events, 0 lost, ${deliveries.length - ids.size} again`,
  );
});
