/** The messages between the server and a plugin's worker. */
import { z } from "zod";
import { type DomainEvent, eventTypes } from "../domain/model/event.ts";
import { Manifest } from "./load.ts";

/** The plugin to load, in the first message to a worker. */
export type Load = Readonly<{
  /** The plugin's name in this server. */
  name: string;
  /** The plugin as the settings name it, for errors. */
  wanted: string;
  /** The import() specifier. */
  specifier: string;
  config: unknown;
  /** The URL of the module that `bootwright/plugin` resolves to. */
  api: string;
}>;

/** The serialisable part of a session's context. */
export type Opening = Readonly<{ fingerprintKey: string; cacheDirectory: string }>;

/** A request with its whole body. */
export type WireRequest = Readonly<{
  method: string;
  url: string;
  headers: readonly (readonly [string, string])[];
  body?: Uint8Array;
}>;

export type WorkerRequest =
  | Readonly<{ ask: "load"; load: Load }>
  | Readonly<{ ask: "open"; opening: Opening }>
  | Readonly<{ ask: "on"; event: DomainEvent }>
  | Readonly<{ ask: "fetch"; request: WireRequest; vm?: string }>
  | Readonly<{ ask: "close" }>;

/** A message from the server. Numbers identify a call, and a tool call within it. */
export type ToWorker =
  | (WorkerRequest & Readonly<{ id: number }>)
  | Readonly<{ end: number }>
  | Readonly<{ tool: number; answer: Readonly<Record<string, unknown>> }>
  | Readonly<{ tool: number; refusal: Readonly<{ code: string; message: string; details: unknown }> }>;

const WireResponse = z.object({
  status: z.number().int().min(200).max(599),
  headers: z.array(z.tuple([z.string(), z.string()])),
  body: z.instanceof(Uint8Array).exactOptional(),
});
export type WireResponse = z.infer<typeof WireResponse>;

const texts = z.array(z.string().min(1)).max(100).exactOptional();
export const ReachSchema = z.strictObject({ net: texts, read: texts, write: texts });

/** A plugin's description of itself, before its session is opened. */
const About = z.object({
  manifest: Manifest,
  events: z.array(z.enum(eventTypes)),
  fetch: z.boolean(),
  reach: ReachSchema,
});
export type About = Readonly<z.infer<typeof About>>;

/** A message from a worker. It is validated, since a worker runs foreign code. */
export const FromWorker = z.union([
  z.object({ done: z.number(), about: About.exactOptional(), response: WireResponse.exactOptional() }),
  z.object({
    failed: z.number(),
    reason: z.string(),
    /** A refusal of Bootwright's own code, which checks the plugin inside the worker. */
    refusal: z.object({ code: z.string(), details: z.record(z.string(), z.unknown()) }).exactOptional(),
  }),
  z.object({ of: z.number(), tool: z.number(), name: z.string().max(100), args: z.unknown() }),
  z.object({ log: z.string() }),
  /** The uncaught error that ends the worker. */
  z.object({ fault: z.string() }),
]);
export type FromWorker = z.infer<typeof FromWorker>;

export const BODY_MAX = 1024 ** 2;
