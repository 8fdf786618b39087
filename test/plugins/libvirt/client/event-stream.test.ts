import { describe, expect, test } from "vitest";
import type { DomainEvent } from "../../../../plugins/libvirt/client/event.ts";
import { EventStream } from "../../../../plugins/libvirt/client/event-stream.ts";

const event = (name: string): DomainEvent => ({
  kind: "reboot",
  domain: { name, uuid: "0f0e0d0c-0b0a-4908-8706-050403020100", id: 1 },
});
const open = (capacity: number) => new EventStream(["reboot"], capacity, () => {});

describe("EventStream", () => {
  test("EventStream keeps the order, whether the reader or the event comes first", async () => {
    const stream = open(8);
    const first = stream.next();
    stream.push(event("a"));
    stream.push(event("b"));
    expect([(await first).value, (await stream.next()).value]).toEqual([event("a"), event("b")]);
  });

  test("EventStream keeps no more than its capacity and says where events are missing", async () => {
    const stream = open(2);
    for (const name of ["a", "b", "lost", "lost"]) stream.push(event(name));
    expect((await stream.next()).value).toEqual(event("a"));
    stream.push(event("lost, or it would stand before the gap"));
    expect((await stream.next()).value).toEqual(event("b"));
    expect((await stream.next()).value).toEqual({ kind: "gap", reason: "overflow" });
    stream.push(event("c"));
    expect((await stream.next()).value).toEqual(event("c"));
  });

  test("EventStream ends for readers that wait, once it is closed and read", async () => {
    const stream = open(2);
    stream.push(event("a"));
    stream.close();
    stream.push(event("b"));
    const read: unknown[] = [];
    for await (const one of stream) read.push(one);
    expect(read).toEqual([event("a")]);
    const waiting = open(2);
    const next = waiting.next();
    waiting.close();
    expect(await next).toEqual({ value: undefined, done: true });
  });
});
