/** A VM's screen and keyboard in a browser: a ticket for a caller that may change the VM, then a WebSocket for that ticket.
 * A browser cannot send a token with a WebSocket, and it sends its cookie for any page that opens one. */
import type { Hono } from "hono";
import { DomainError } from "../../domain/error.ts";
import { noteOf } from "../../domain/model/event.ts";
import type { Target } from "../../domain/model/vm.ts";
import type { Console } from "../../domain/ports/backend-groups.ts";
import { openConsole } from "../../tools/console.ts";
import { callLimitMs, type Services } from "../../tools/tool.ts";
import type { AppContext } from "../app-context.ts";
import { defectOf } from "../defect.ts";
import { dispatcherFor } from "../dispatch.ts";
import type { InFlightCalls } from "../in-flight-calls.ts";
import { objectIn, readBody } from "./body.ts";
import { carry } from "./console-socket.ts";
import { type Environment, type HttpContext, principalIn, requireScope } from "./environment.ts";
import { createExpiringSecrets } from "./expiring-secrets.ts";
import { HttpError } from "./http-error.ts";
import type { Caller } from "./token.ts";

export type ConsoleOptions = Readonly<{
  appContext: AppContext;
  inFlight: InFlightCalls;
  consoles?: Partial<ConsoleLimits>;
}>;
export type ConsoleLimits = Readonly<{
  /** How long a ticket is valid. */
  ticketMs: number;
  /** A console without input closes after this time. */
  idleMs: number;
  /** How often the client's presence and permission are checked. */
  heartbeatMs: number;
  /** The number of open consoles. */
  most: number;
}>;
const usualLimits: ConsoleLimits = { ticketMs: 30_000, idleMs: 30 * 60_000, heartbeatMs: 15_000, most: 32 };

type Ticket = Readonly<{ target: Target; caller: string; session: string | undefined }>;

/** The path of consoles. */
export const CONSOLES = "/api/console/";
/** The subprotocol of noVNC and websockify. */
export const SUBPROTOCOL = "binary";

export function addConsoles(app: Hono<Environment>, { appContext, inFlight, consoles }: ConsoleOptions): void {
  // Keyboard input is a change.
  if (appContext.tools.every(({ effect }) => effect === "read")) return;
  const limits = { ...usualLimits, ...consoles };
  const tickets = createExpiringSecrets<Ticket>(() => performance.now());
  let open = 0;
  const { perform } = dispatcherFor({ appContext, inFlight });
  const opening = (context: HttpContext, vm: string) => {
    const asked = { needs: "vm:write", limitMs: callLimitMs.read } as const;
    const call = { signal: inFlight.signal, progress: () => {} };
    return perform(principalIn(context), asked, call, (tools) => openConsole(tools, vm));
  };
  const requireRoom = () => {
    if (open < limits.most) return;
    throw new HttpError("STREAMS_EXHAUSTED", { streamsMax: limits.most }, { "retry-after": "10" });
  };

  app.post("/api/vms/:vm/console", async (context) => {
    const caller = requireScope(context, "vm:write");
    const sent = Object.keys(objectIn(await readBody(context), context.req.raw));
    if (sent.length > 0) throw new DomainError("INPUT_INVALID", { issues: ["the body: expected an empty object"] });
    requireRoom();
    // The console is opened once now, since only this answer can say why it cannot be opened.
    const { target, console: opened } = await opening(context, context.req.param("vm"));
    closeConsole(opened);
    const ticket = { target, caller: caller.name, session: context.get("session") };
    return context.json({
      vm: target.uuid,
      path: `${CONSOLES}${tickets.put(ticket, limits.ticketMs)}`,
      subprotocol: SUBPROTOCOL,
      expires_in_seconds: limits.ticketMs / 1000,
    });
  });

  app.get(`${CONSOLES}:ticket`, async (context) => {
    const caller = requireScope(context, "vm:write");
    const { upgrade } = context.env;
    if (!upgrade) throw new HttpError("UPGRADE_REQUIRED", {}, { upgrade: "websocket" });
    const { target } = takeTicket(tickets, context, caller);
    requireRoom();
    open += 1;
    let opened: Console | undefined;
    try {
      ({ console: opened } = await opening(context, `${target.connection}/${target.uuid}`));
      const history = await recordOpened(appContext.services, principalIn(context).actor, target);
      const socket = upgrade();
      const carrying = socket
        ? carry(socket, opened, {
            ...limits,
            signal: inFlight.ending,
            isStillAuthenticated: context.get("isStillAuthenticated"),
          })
        : Promise.resolve("it could not be opened").finally(() => closeConsole(opened!));
      void carrying
        .then(history.closed)
        .catch((error: unknown) => defectOf(appContext, error))
        .finally(() => {
          open -= 1;
        });
    } catch (error) {
      open -= 1;
      if (opened) closeConsole(opened);
      throw error;
    }
    return context.body(null, 204);
  });
}

/** Uses the ticket up.
 * @throws HttpError CONSOLE_TICKET_INVALID, ORIGIN_REFUSED */
function takeTicket(
  tickets: ReturnType<typeof createExpiringSecrets<Ticket>>,
  context: HttpContext,
  caller: Caller,
): Ticket {
  const secret = context.req.param("ticket") ?? "";
  const ticket = tickets.get(secret);
  tickets.drop(secret);
  const session = context.get("session");
  // Every browser sends the origin with a WebSocket. A foreign origin was refused earlier.
  if (session !== undefined && context.req.header("origin") === undefined)
    throw new HttpError("ORIGIN_REFUSED", { origin: "none was sent" });
  if (ticket?.caller !== caller.name || ticket.session !== session) throw new HttpError("CONSOLE_TICKET_INVALID", {});
  return ticket;
}

/** Records that a console was opened, and with `closed` that it was closed.
 * @throws DomainError if it cannot be recorded; the console then stays closed */
async function recordOpened({ store, newId, now }: Services, by: string, target: Target) {
  const id = newId();
  const since = performance.now();
  const note = async (type: "console.opened" | "console.closed", more: Record<string, unknown>) =>
    (await store()).note(noteOf(`${id}:${type}`, target, now().toISOString(), type, { console: id, by, ...more }));
  await note("console.opened", {});
  return {
    closed: (reason: string) =>
      note("console.closed", { reason, seconds: Math.round((performance.now() - since) / 1000) }),
  };
}

function closeConsole({ readable, writable }: Console): void {
  void readable.cancel().catch(() => undefined);
  void writable.abort().catch(() => undefined);
}
