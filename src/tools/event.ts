/** Lists events and failed deliveries, and delivers an event again. */
import { z } from "zod";
import { DomainError } from "../domain/error.ts";
import { type DomainEvent, eventTypes } from "../domain/model/event.ts";
import { VmRef } from "../domain/model/vm.ts";
import { nearestFirst } from "../domain/nearest.ts";
import { presentOrPastVm } from "./find-vm.ts";
import { defineTool } from "./tool.ts";

const EventView = z.object({
  id: z.string(),
  type: z.string(),
  vm: z.string().describe("UUID of the VM"),
  source: z.string(),
  time: z.string(),
  data: z.record(z.string(), z.unknown()),
});

const viewEvent = ({ id, type, subject, source, time, data }: DomainEvent): z.input<typeof EventView> => ({
  id,
  type,
  vm: subject,
  source,
  time,
  data,
});

const listEvents = defineTool({
  name: "list_events",
  title: "List events",
  description:
    "List events, newest first: of operations, of guests themselves, and of changes by other programs. For older ones pass before, the place of the last one shown.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/events/history" },
  input: z.object({
    vm: VmRef.optional().describe("Also a deleted VM, by its UUID or former name"),
    type: z.array(z.enum(eventTypes)).max(eventTypes.length).default([]).describe("Only events of these types"),
    before: z.number().int().min(1).max(1e15).optional().describe("Only events before this place"),
    limit: z.number().int().min(1).max(500).default(50),
  }),
  output: z.object({ events: z.array(EventView.extend({ place: z.number() })) }),
  async run({ vm, type, before, limit }, context) {
    const target = vm === undefined ? undefined : await presentOrPastVm(context, vm);
    const store = await context.store();
    const found = await store.listEvents({
      limit,
      ...(target && { target }),
      ...(type.length > 0 && { types: type }),
      ...(before !== undefined && { before }),
    });
    return { events: found.map(({ seq, event }) => ({ ...viewEvent(event), place: seq })) };
  },
});

const SubscriberName = z.string().min(1).max(64).describe("The plugin's name in the settings");

const listDeadLetters = defineTool({
  name: "list_dead_letters",
  title: "List dead letters",
  description: "List events that a plugin failed to take after all attempts, newest first, with its last error.",
  effect: "read",
  needs: [],
  http: { method: "GET", path: "/dead-letters" },
  input: z.object({
    subscriber: SubscriberName.optional(),
    waiting: z.boolean().default(false).describe("Instead those that are still retried"),
    limit: z.number().int().min(1).max(500).default(50),
  }),
  output: z.object({
    subscribers: z.array(z.string()).describe("The plugins that receive events, or did in the last thirty days"),
    dead_letters: z.array(
      z.object({
        subscriber: z.string(),
        event: EventView,
        state: z.enum(["waiting", "dead"]),
        attempts: z.number(),
        at: z.string().describe("When it was given up, or is retried"),
        error: z.string().optional(),
      }),
    ),
  }),
  async run({ subscriber, waiting, limit }, context) {
    const store = await context.store();
    const [subscribers, found] = await Promise.all([
      store.subscribers(),
      store.deliveries({
        limit,
        state: waiting ? "waiting" : "dead",
        ...(subscriber !== undefined && { subscriber }),
      }),
    ]);
    return {
      subscribers: subscribers.map(({ name }) => name),
      dead_letters: found.map(({ subscriber: name, event, state, attempts, at, error }) => ({
        subscriber: name,
        event: viewEvent(event),
        state,
        attempts,
        at,
        ...(error !== undefined && { error }),
      })),
    };
  },
});

const redeliverEvent = defineTool({
  name: "redeliver_event",
  title: "Redeliver event",
  description:
    "Deliver an event to a plugin again, whether it was given up or taken before. It has the same id, and comes after events that already wait for the same VM.",
  effect: "change",
  repeats: true,
  needs: [],
  http: { method: "POST", path: "/events/{event}/redeliver" },
  input: z.object({
    event: z.string().min(1).max(200).describe("Id of the event"),
    subscriber: SubscriberName,
  }),
  output: z.object({ subscriber: z.string(), event: EventView }),
  async run({ event: id, subscriber }, context) {
    const store = await context.store();
    const known = (await store.subscribers()).map(({ name }) => name);
    if (!known.includes(subscriber))
      throw new DomainError("SUBSCRIBER_NOT_FOUND", { subscriber, known: nearestFirst(subscriber, known) });
    // A dead letter may be older than the journal's oldest event.
    const dead = (await store.deliveries({ subscriber, limit: 10_000 })).find(({ event }) => event.id === id);
    const found = dead ?? (await store.event(id));
    if (!found) throw new DomainError("EVENT_NOT_FOUND", { event: id });
    await store.redeliver(subscriber, found);
    return { subscriber, event: viewEvent(found.event) };
  },
});

export const eventTools = [listEvents, listDeadLetters, redeliverEvent];
