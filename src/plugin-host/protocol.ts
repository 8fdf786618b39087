/** What the host and a plugin's worker say to each other. */
import { z } from "zod";
import { type DomainEvent, eventTypes } from "../domain/model/event.ts";
import { Manifest } from "./load.ts";

/** What is to be loaded, as the worker is told first of all. */
export type Load = Readonly<{
  /** What it goes by here. */
  name: string;
  /** As the settings name it, for errors. */
  wanted: string;
  /** What import() takes. */
  specifier: string;
  config: unknown;
  /** The module that `bootwright/plugin` is. */
  api: string;
}>;

/** What a session of functions is given, as far as it can be sent. */
export type Opening = Readonly<{ fingerprintKey: string; cacheDirectory: string }>;

/** A request or a response, whole. */
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

/** What the host sends. A number names a call, and within it a tool's. */
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

/** What a plugin says of itself before anything of it is opened. */
const About = z.object({
  manifest: Manifest,
  events: z.array(z.enum(eventTypes)),
  fetch: z.boolean(),
  reach: ReachSchema,
});
export type About = Readonly<z.infer<typeof About>>;

/** What a worker sends is checked: it runs somebody else's program. */
export const FromWorker = z.union([
  z.object({ done: z.number(), about: About.exactOptional(), response: WireResponse.exactOptional() }),
  z.object({
    failed: z.number(),
    reason: z.string(),
    /** A refusal of the host's own code, which runs there to check what was loaded. */
    refusal: z.object({ code: z.string(), details: z.record(z.string(), z.unknown()) }).exactOptional(),
  }),
  z.object({ of: z.number(), tool: z.number(), name: z.string().max(100), args: z.unknown() }),
  z.object({ log: z.string() }),
  /** What nothing in it has caught, and it ends with. */
  z.object({ fault: z.string() }),
]);
export type FromWorker = z.infer<typeof FromWorker>;

export const BODY_MAX = 1024 ** 2;
