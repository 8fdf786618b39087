/** MCP on stdin and stdout. */
import type { Writable } from "node:stream";
import type { Server } from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { DomainError } from "../../domain/error.ts";
import { refusalOf, refusalText } from "../../tools/respond.ts";
import type { AppContext } from "../app-context.ts";
import { ownUser } from "../dispatch.ts";
import { createInFlightCalls } from "../in-flight-calls.ts";
import { URIS_MAX } from "../limits.ts";
import { answersRead, BoundedLines, MESSAGE_BYTES_MAX } from "./bounded-lines.ts";
import { notifyOn, trackStreams } from "./resource-handlers.ts";
import { type Authority, serverFor } from "./server.ts";
import { subscriptionsFor } from "./subscriptions.ts";

export type Serving = Readonly<{
  /** Resolves when the client has gone and its calls are settled. */
  ended: Promise<void>;
  close(): Promise<void>;
}>;

const processUser: Authority = { ...ownUser("mcp", "program"), owner: "", listsAll: true };

/** Serves MCP on stdin and stdout until the client goes away. `output` is stdout, whose unread bytes limit the reading. */
export function serveMcp(appContext: AppContext, output: Writable): Serving {
  const inFlight = createInFlightCalls({ endMs: 0 });
  let current: Server | undefined;
  const subscriptions = subscriptionsFor(
    appContext,
    notifyOn(
      () => current,
      () => answersRead(output, output.writableHighWaterMark),
    ),
  );
  const build = serverFor({ appContext, inFlight, authority: () => processUser });
  const lines = new BoundedLines(output, ({ bytes, id }) => {
    const refusal = refusalOf(new DomainError("MESSAGE_TOO_LARGE", { bytes, bytesMax: MESSAGE_BYTES_MAX }));
    const error = { code: INVALID_REQUEST, message: refusalText(refusal), data: refusal };
    // JSON-RPC answers with a null id if the request's id is unknown. The SDK's types have no such answer.
    void transport.send({ jsonrpc: "2.0", id: id as string | number, error }).catch(() => undefined);
  });
  const transport = new StdioServerTransport(process.stdin.pipe(lines) as unknown as typeof process.stdin);
  const handle = serveStdio(
    ({ era }) => {
      // The server that answered the client's probe of the protocol's generation is dropped when another one is built.
      current = build(era, subscriptions);
      return current;
    },
    {
      transport,
      maxSubscriptions: URIS_MAX,
      onerror(error) {
        // A client may stop reading at any time.
        if ((error as NodeJS.ErrnoException).code !== "EPIPE") process.stderr.write(`bootwright: ${error.message}\n`);
      },
    },
  );
  trackStreams(transport, appContext, subscriptions);
  // A server object may end before the connection: the one that answered the client's probe of the protocol's generation is
  // dropped if the client then chooses the other generation.
  const ended = new Promise<void>((resolve) => {
    const { onclose } = transport;
    transport.onclose = () => {
      // Aborts the calls in flight. Each then reads its VM and settles.
      onclose?.();
      subscriptions.close();
      void inFlight.end().then(resolve);
    };
  });
  return { ended, close: () => handle.close() };
}

/** JSON-RPC's error code for an invalid request. */
const INVALID_REQUEST = -32_600;
