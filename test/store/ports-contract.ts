/** The suite that the ports of a store pass, whatever database is behind them. Two processes use one database: the ports of
 * this one, and those of another that can be killed. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { StorePorts } from "../../src/store/store.ts";
import { getValue, type PortsUser, putValue, userOf } from "./remote-ports.ts";
import type { Process, SharedDatabase } from "./shared-databases.ts";

export type PortsContract = Readonly<{
  name: string;
  open: () => Promise<SharedDatabase>;
  /** Why nothing in the world can go wrong with this database. */
  faultless?: string;
}>;

const SLOW_MS = 120_000;

export function portsContract({ name, open, faultless }: PortsContract): void {
  describe(`contract of the store's ports: ${name}`, () => {
    let shared: SharedDatabase;
    let ports: StorePorts;
    let here: PortsUser;
    let other: Process<PortsUser>;

    beforeAll(async () => {
      shared = await open();
      ports = await shared.ports();
      here = userOf(ports);
      other = await shared.portsProcess();
    }, SLOW_MS);
    afterAll(() => shared?.close(), SLOW_MS);

    const key = () => crypto.randomUUID();

    describe("Database", () => {
      it("reads here what was written there, and the other way round", async () => {
        const [one, two] = [key(), key()];
        await here.put(one, { text: "한글 'x' \" ? \\ \n", list: [1, null, true] });
        await other.use.put(two, "there");
        expect(await other.use.get(one)).toEqual({ text: "한글 'x' \" ? \\ \n", list: [1, null, true] });
        expect(await here.get(two)).toBe("there");
      });

      it("writes a transaction whole or not at all, and throws what it threw", async () => {
        const [one, two] = [key(), key()];
        const broken = new Error("broken");
        const written = ports.database.write(async (em) => {
          await putValue(em, one, 1);
          await putValue(em, two, 2);
          expect(await getValue(em, one)).toBe(1);
          throw broken;
        });
        await expect(written).rejects.toBe(broken);
        expect([await here.get(one), await other.use.get(two)]).toEqual([undefined, undefined]);
        await here.put(one, 3);
        expect(await here.get(one)).toBe(3);
      });

      it("shows nobody a transaction before it is whole", async () => {
        const [one, two] = [key(), key()];
        const [half, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const written = ports.database.write(async (em) => {
          await putValue(em, one, 1);
          half.resolve();
          await going.promise;
          await putValue(em, two, 2);
        });
        await half.promise;
        // Some databases answer with what was true before, and some once the transaction has ended: never with the half.
        const read = other.use.get(one).then(async (first) => (first === undefined ? "nothing" : other.use.get(two)));
        await Promise.race([read, new Promise((resolve) => setImmediate(resolve))]);
        going.resolve();
        await written;
        expect(["nothing", 2]).toContain(await read);
      });

      it("runs transactions of all processes one after another, so that none is lost", {
        timeout: SLOW_MS,
      }, async () => {
        const counter = key();
        const counts = await Promise.all(
          Array.from({ length: 40 }, (_, nth) => (nth % 2 === 0 ? here : other.use).count(counter)),
        );
        expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, nth) => nth + 1));
        expect(await here.get(counter)).toBe(40);
      });

      it("keeps what it has written when the process that wrote it is killed", { timeout: SLOW_MS }, async () => {
        const { use, kill } = await shared.portsProcess();
        const written = key();
        await use.put(written, "durable");
        await kill();
        expect(await here.get(written)).toBe("durable");
      });

      it.skipIf(faultless)(
        "tells what keeps it from writing as an error of the domain, and goes on after it",
        async () => {
          const { database, mend } = await shared.faulty!();
          const written = key();
          const fault = expect.objectContaining({ name: "DomainError", code: expect.stringMatching(/^STORE_/) });
          await expect(database.write((em) => putValue(em, written, 1))).rejects.toEqual(fault);
          mend();
          await database.write((em) => putValue(em, written, 2));
          expect(await other.use.get(written)).toBe(2);
        },
      );

      it("refuses what it is asked once it is closed", { timeout: SLOW_MS }, async () => {
        const { database } = await shared.ports();
        await database.close();
        await expect(database.read((em) => getValue(em, "any"))).rejects.toThrow();
        await expect(database.write((em) => putValue(em, "any", 1))).rejects.toThrow();
      });
    });

    describe("Liveness", () => {
      it("gives each process an id of its own", async () => {
        expect(await here.id()).not.toBe(await other.use.id());
        expect(await here.id()).toBe(await here.id());
      });

      it("is alive to itself, and to others from its hold on", { timeout: SLOW_MS }, async () => {
        const { use } = await shared.portsProcess();
        const id = await use.id();
        expect([await use.isAlive(id), await here.isAlive(id)]).toEqual([true, false]);
        await use.hold();
        await use.hold();
        expect([await use.isAlive(id), await here.isAlive(id), await other.use.isAlive(id)]).toEqual([
          true,
          true,
          true,
        ]);
        expect(ports.liveness.isHeld()).toBe(false);
      });

      it("takes nobody for alive whom it does not know, whatever they are called", async () => {
        for (const id of ["nobody", "", "../x", "a/b", "'", "\0", "x".repeat(300)])
          expect(await here.isAlive(id), JSON.stringify(id)).toBe(false);
      });

      it("is dead once it is closed, and for good", { timeout: SLOW_MS }, async () => {
        const closed = await shared.ports();
        await closed.liveness.hold();
        expect(closed.liveness.isHeld()).toBe(true);
        expect(await other.use.isAlive(closed.liveness.id)).toBe(true);
        await closed.liveness.close();
        expect(await other.use.isAlive(closed.liveness.id)).toBe(false);
        await expect(closed.liveness.hold()).rejects.toThrow();
        expect(await other.use.isAlive(closed.liveness.id)).toBe(false);
      });

      it("is dead as soon as it is killed", { timeout: SLOW_MS }, async () => {
        const { use, kill } = await shared.portsProcess();
        await use.hold();
        const id = await use.id();
        expect(await here.isAlive(id)).toBe(true);
        await kill();
        expect([await here.isAlive(id), await other.use.isAlive(id)]).toEqual([false, false]);
      });

      it("answers within a transaction, while this process writes", async () => {
        await other.use.hold();
        const id = await other.use.id();
        expect(await ports.database.write(() => ports.liveness.isAlive(id))).toBe(true);
      });
    });

    describe("ChangeFeed", () => {
      it(
        "calls back after a write of this process, and not any more once that was ended",
        async () => {
          const [ended, called] = [vi.fn(), vi.fn()];
          const end = ports.changes.subscribe(ended);
          ports.changes.subscribe(called);
          await here.put(key(), 1);
          await vi.waitFor(() => expect(ended).toHaveBeenCalled(), SLOW_MS);
          end();
          const [before, calls] = [ended.mock.calls.length, called.mock.calls.length];
          await here.put(key(), 2);
          await vi.waitFor(() => expect(called.mock.calls.length).toBeGreaterThan(calls), SLOW_MS);
          expect(ended.mock.calls.length).toBe(before);
        },
        SLOW_MS,
      );

      it("calls back after a write of another process, when it can be read", { timeout: SLOW_MS }, async () => {
        const written = key();
        const read: unknown[] = [];
        const end = ports.changes.subscribe(() => void here.get(written).then((value) => read.push(value)));
        await other.use.put(written, "there");
        await vi.waitFor(() => expect(read).toContain("there"), SLOW_MS);
        end();
      });

      it("calls nobody back once it is closed", { timeout: SLOW_MS }, async () => {
        const [closed, open] = [await shared.ports(), await shared.ports()];
        const [never, called] = [vi.fn(), vi.fn()];
        closed.changes.subscribe(never);
        open.changes.subscribe(called);
        await closed.changes.close();
        await userOf(open).put(key(), 1);
        await vi.waitFor(() => expect(called).toHaveBeenCalled(), SLOW_MS);
        expect(never).not.toHaveBeenCalled();
      });
    });
  });
}
