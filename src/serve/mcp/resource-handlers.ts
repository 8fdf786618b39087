/** Resources over MCP, and hearing of their changes: clients of 2025 subscribe to one at a time, later ones open a stream. */
import {
  type JSONRPCMessage,
  ProtocolError,
  ProtocolErrorCode,
  type RequestId,
  ResourceNotFoundError,
  type Server,
  type ServerContext,
  type Transport,
} from "@modelcontextprotocol/server";
import { refusalText } from "../../tools/respond.ts";
import type { AppContext } from "../app-context.ts";
import { defectOf } from "../defect.ts";
import { URIS_MAX } from "../limits.ts";
import { isRefusal, refusalIn } from "../surface-error.ts";
import { PANEL_URI, panelContents } from "./app-panel.ts";
import { type Ask, complete, isResourceUri, listResources, readResource, templates } from "./resources.ts";
import type { Notify, Subscriptions } from "./subscriptions.ts";

export const resourceCapabilities = { resources: { subscribe: true, listChanged: true }, completions: {} };

/** Templates stay; what is listed and read may be another thing a moment later. */
export const resourceCacheHints = {
  "resources/templates/list": { ttlMs: 3_600_000, cacheScope: "private" },
} as const;

export type ResourceServing = Readonly<{
  appContext: AppContext;
  subscriptions: Subscriptions;
  /** Makes the calls of one request, within the bounds of all calls. */
  ask: (ctx: ServerContext) => Ask;
  /** @throws what whoever may not look is refused with */
  requireLook: (ctx: ServerContext) => void;
}>;

/** Registers what there is to read, and for a client of 2025 to subscribe to. */
export function serveResources(
  server: Server,
  era: "legacy" | "modern",
  { appContext, subscriptions, ask, requireLook }: ResourceServing,
): void {
  const withProtocolErrors = async <T>(work: () => Promise<T>, ctx: ServerContext): Promise<T> => {
    try {
      requireLook(ctx);
      return await work();
    } catch (error) {
      // Nobody waits for the answer of a request that was cancelled.
      throw ctx.mcpReq.signal.aborted ? error : errorOf(appContext, error);
    }
  };
  server.setRequestHandler("resources/list", async ({ params }, ctx) => {
    // It has nothing else by which to say that it wants to hear of changes. One of 2026 opens a stream for that.
    if (era === "legacy") await withProtocolErrors(() => subscriptions.begin(), ctx);
    const page = await withProtocolErrors(() => listResources(ask(ctx), params?.cursor), ctx);
    if (!page) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "The cursor is none that a page ended with");
    return { ...page, resources: [...page.resources] };
  });
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [...templates] }));
  server.setRequestHandler("resources/read", async ({ params: { uri } }, ctx) => {
    // Not in the list, since only a tool leads to it; the same for everybody, and it says nothing of any VM.
    if (uri === PANEL_URI) return { contents: panelContents(appContext.panel?.()) };
    const found = await withProtocolErrors(() => readResource(ask(ctx), uri), ctx);
    if (!found) throw new ResourceNotFoundError(uri);
    return { contents: [{ uri, mimeType: "application/json", text: found.text }] };
  });
  server.setRequestHandler("completion/complete", async ({ params: { ref, argument } }, ctx) => {
    const template = ref.type === "ref/resource" ? ref.uri : "";
    const completion = await withProtocolErrors(() => complete(ask(ctx), template, argument.name, argument.value), ctx);
    if (!completion) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Nothing of that name is completed");
    return { completion };
  });
  if (era === "modern") return;
  server.setRequestHandler("resources/subscribe", async ({ params: { uri } }, ctx) => {
    if (!isResourceUri(uri)) throw new ResourceNotFoundError(uri);
    await withProtocolErrors(() => subscriptions.begin(), ctx);
    if (!subscriptions.add(uri, [uri])) throw tooMany();
    return {};
  });
  server.setRequestHandler("resources/unsubscribe", ({ params: { uri } }) => {
    subscriptions.remove(uri);
    return {};
  });
}

/** Sees the streams that a client of 2026 opens; the SDK, which serves them, tells nobody. One is passed on only once it
 * is known from where in the journal it is told, so that it misses nothing that comes after its beginning. */
export function trackStreams(transport: Transport, appContext: AppContext, subscriptions: Subscriptions): void {
  const onmessage = transport.onmessage?.bind(transport);
  const opening = new Set<RequestId>();
  const open = async (id: RequestId, uris: readonly string[]): Promise<boolean> => {
    opening.add(id);
    try {
      await subscriptions.begin();
      if (opening.has(id) && !subscriptions.add(keyOf(id), uris)) throw tooMany();
      return opening.has(id);
    } catch (thrown) {
      const { code, message: text, data } = errorOf(appContext, thrown);
      const error = { code, message: text, ...(data !== undefined && { data }) };
      if (opening.has(id)) await transport.send({ jsonrpc: "2.0", id, error }).catch(() => undefined);
      return false;
    } finally {
      opening.delete(id);
    }
  };
  transport.onmessage = (message, extra) => {
    const uris = streamUrisIn(message);
    if (uris && "id" in message && message.id !== undefined) {
      void open(message.id, uris).then((opened) => opened && onmessage?.(message, extra));
      return;
    }
    if ("method" in message && message.method === "notifications/cancelled") {
      const id = message.params?.requestId as RequestId;
      subscriptions.remove(keyOf(id));
      if (opening.delete(id)) return;
    }
    onmessage?.(message, extra);
  };
}

const keyOf = (id: RequestId): string => `${typeof id} ${id}`;

/** What a message asks to be told about, where it opens a stream for that. What is no such message the SDK refuses. */
export function streamUrisIn(message: JSONRPCMessage): readonly string[] | undefined {
  if (!("method" in message) || message.method !== "subscriptions/listen") return undefined;
  const { resourceSubscriptions: uris = [], resourcesListChanged: list } = (message.params?.notifications ?? {}) as {
    resourceSubscriptions?: unknown;
    resourcesListChanged?: unknown;
  };
  if (!Array.isArray(uris) || !uris.every((uri) => typeof uri === "string")) return undefined;
  return uris.length > 0 || list === true ? uris : undefined;
}

export const tooMany = () =>
  new ProtocolError(
    ProtocolErrorCode.InternalError,
    `Subscription limit reached: one client is told about ${URIS_MAX} resources`,
  );

/** Tells the client that `serverOf` gives, one thing after the other and no faster than it reads. */
export function notifyOn(serverOf: () => Server | undefined, hasRead: () => Promise<void>): Notify {
  let last: Promise<void> = Promise.resolve();
  const inTurn = (send: (server: Server | undefined) => Promise<void> | undefined): Promise<void> => {
    const mine = last.then(async () => {
      await hasRead();
      await send(serverOf());
    });
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    updated: (uri) => inTurn((server) => server?.sendResourceUpdated({ uri })),
    listChanged: () => inTurn((server) => server?.sendResourceListChanged()),
  };
}

/** A refusal as an error of the protocol: code, text and details stand in it as they do in a tool's result. */
export function errorOf(appContext: Pick<AppContext, "defect">, error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (!isRefusal(error))
    return new ProtocolError(ProtocolErrorCode.InternalError, `DEFECT: ${defectOf(appContext, error).message}`);
  const refusal = refusalIn(error);
  return new ProtocolError(ProtocolErrorCode.InternalError, refusalText(refusal), refusal);
}
