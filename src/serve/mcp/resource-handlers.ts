/** Resources over MCP, and updates of them. Clients of protocol 2025 subscribe to one at a time. Later ones open a stream. */
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

/** Only templates may be cached. Lists and contents can change at any time. */
export const resourceCacheHints = {
  "resources/templates/list": { ttlMs: 3_600_000, cacheScope: "private" },
} as const;

export type ResourceServing = Readonly<{
  appContext: AppContext;
  subscriptions: Subscriptions;
  /** Makes the tool calls of one request, within the limits of all calls. */
  ask: (ctx: ServerContext) => Ask;
  /** @throws the principal's error if it lacks vm:read */
  requireLook: (ctx: ServerContext) => void;
}>;

/** Registers the handlers of resources, and for clients of protocol 2025 those of subscriptions. */
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
      // A cancelled request needs no answer.
      throw ctx.mcpReq.signal.aborted ? error : errorOf(appContext, error);
    }
  };
  server.setRequestHandler("resources/list", async ({ params }, ctx) => {
    // A client of protocol 2025 gets list changes from its first list on. A client of 2026 opens a stream for them.
    if (era === "legacy") await withProtocolErrors(() => subscriptions.begin(), ctx);
    const page = await withProtocolErrors(() => listResources(ask(ctx), params?.cursor), ctx);
    if (!page) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "The cursor is not one of this list's");
    return { ...page, resources: [...page.resources] };
  });
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [...templates] }));
  server.setRequestHandler("resources/read", async ({ params: { uri } }, ctx) => {
    // The panel is not listed, since only tools refer to it. It has no facts about VMs, so it needs no scope.
    if (uri === PANEL_URI) return { contents: panelContents(appContext.panel?.()) };
    const found = await withProtocolErrors(() => readResource(ask(ctx), uri), ctx);
    if (!found) throw new ResourceNotFoundError(uri);
    return { contents: [{ uri, mimeType: "application/json", text: found.text }] };
  });
  server.setRequestHandler("completion/complete", async ({ params: { ref, argument } }, ctx) => {
    const template = ref.type === "ref/resource" ? ref.uri : "";
    const completion = await withProtocolErrors(() => complete(ask(ctx), template, argument.name, argument.value), ctx);
    if (!completion)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There are no completions for that argument");
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

/** Intercepts the streams that a client of protocol 2026 opens, since the SDK does not report them. A stream is passed to
 * the SDK only once its place in the journal is known, so that it misses no event. */
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

/** The resources that a message subscribes to by opening a stream. Undefined for other messages and malformed ones, which
 * the SDK refuses. */
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
    `Subscription limit reached: one client may subscribe to ${URIS_MAX} resources`,
  );

/** Sends notifications through the server of `serverOf`, one at a time and no faster than the client reads. */
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

/** A refusal as a protocol error, with the same text and data as in a tool's result. */
export function errorOf(appContext: Pick<AppContext, "defect">, error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (!isRefusal(error))
    return new ProtocolError(ProtocolErrorCode.InternalError, `DEFECT: ${defectOf(appContext, error).message}`);
  const refusal = refusalIn(error);
  return new ProtocolError(ProtocolErrorCode.InternalError, refusalText(refusal), refusal);
}
