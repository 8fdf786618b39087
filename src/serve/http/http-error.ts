/** Refusals that only HTTP knows, such as a bad token or a malformed request. */
import { defectMessage } from "../defect.ts";
import { SurfaceError } from "../surface-error.ts";

const followed = (operation: string | undefined) =>
  operation === undefined ? "" : `GET /api/operations/${operation} says what was done. `;

const catalogue = {
  REQUEST_MALFORMED: (d: { reason: string }) => ({
    message: `Cannot read this request: ${d.reason}`,
    hint: "Send a plain path below /api, and a body of JSON in UTF-8",
  }),
  UNAUTHORISED: (d: { reason: string }) => ({
    message: `Cannot answer: ${d.reason}`,
    hint: "Send Authorization: Bearer with a token (http.token in the data directory), or log the browser in with the link that bootwright serve prints",
  }),
  TICKET_INVALID: (_d: Record<never, never>) => ({
    message: "Cannot log in: the link was used or has expired, or the token is not one of this server's",
    hint: "A link is valid once, within ten minutes. The next start of the server prints a new one. The token logs in at any time",
  }),
  CONSOLE_TICKET_INVALID: (_d: Record<never, never>) => ({
    message: "Cannot open this console: its ticket was used, has expired, or belongs to another caller",
    hint: "POST /api/vms/{vm}/console gives a new ticket, valid once, within 30 seconds, for the same caller",
  }),
  UPGRADE_REQUIRED: (_d: Record<never, never>) => ({
    message: "Cannot answer this as plain HTTP: a console is a WebSocket",
    hint: "Open the path with a WebSocket client and the subprotocol binary",
  }),
  SCOPE_MISSING: (d: { caller: string; scope: string; has: readonly string[] }) => ({
    message: `Cannot do this with token "${d.caller}": it lacks the scope ${d.scope}`,
    hint: `It has: ${d.has.join(", ") || "none"}. Make another token with bootwright token add, or get one with this scope from the OAuth issuer`,
  }),
  ORIGIN_REFUSED: (d: { origin: string }) => ({
    message: `Cannot answer a page of another origin (${d.origin})`,
    hint: "In a browser only the server's own page may call it. Programs send no Origin",
  }),
  HOST_REFUSED: (d: { host: string }) => ({
    message: `Cannot answer for host "${d.host}": this server does not listen under that name`,
    hint: "Use the address that the server listens on, or start it with --allow-host NAME",
  }),
  ROUTE_NOT_FOUND: (d: { path: string }) => ({
    message: `Cannot find "${d.path}"`,
    hint: "/api/openapi.json lists every path, /api/docs shows them",
  }),
  METHOD_NOT_ALLOWED: (d: { method: string; allowed: readonly string[] }) => ({
    message: `Cannot ${d.method} this path`,
    hint: `Allowed: ${d.allowed.join(", ")}`,
  }),
  REQUEST_TIMED_OUT: (d: { limitMs: number }) => ({
    message: `Cannot wait for this request any longer: it did not arrive within ${d.limitMs} ms`,
    hint: "Nothing was done. Send it again",
  }),
  MEDIA_TYPE_UNSUPPORTED: (d: { type: string }) => ({
    message: `Cannot read a body of type "${d.type}"`,
    hint: "Send JSON with Content-Type: application/json",
  }),
  RATE_EXCEEDED: (d: { retryAfterSeconds: number }) => ({
    message: "Cannot take this request: too many came in too short a time",
    hint: `Nothing was done. Try again in ${d.retryAfterSeconds} s`,
  }),
  ISSUER_UNAVAILABLE: (d: { issuer: string; cause: string }) => ({
    status: 503,
    message: `Cannot check this access token: issuer ${d.issuer} gives no keys: ${d.cause}`,
    hint: "Nothing was done. Try again in 10 s, or use a token of this server's own",
  }),
  STREAMS_EXHAUSTED: (d: { streamsMax: number }) => ({
    message: `Cannot open another stream: ${d.streamsMax} are open`,
    hint: "Close streams that nobody reads",
  }),
  PRECONDITION_FAILED: (d: { vm: string }) => ({
    message: `Cannot change VM "${d.vm}": it has changed, so If-Match no longer matches`,
    hint: "Nothing was done. Read the VM again and decide anew",
  }),
  IDEMPOTENCY_KEY_REUSED: (d: { key: string }) => ({
    message: `Cannot use Idempotency-Key "${d.key}" again: it belongs to a request with another body`,
    hint: "Use a new key for each new request, and the same one only to send the same request again",
  }),
  IDEMPOTENCY_KEY_IN_USE: (d: { key: string }) => ({
    message: `Cannot accept Idempotency-Key "${d.key}" now: the first request with it is still running`,
    hint: "Wait for its answer, or send the same request again later to get that answer",
  }),
  ANSWER_NOT_KEPT: (d: { reason: string; operation?: string }) => ({
    message: `Cannot answer this a second time: the first request with this Idempotency-Key was carried out, and its answer ${d.reason}`,
    hint: `${followed(d.operation)}Send it with a new key to carry it out again`,
  }),
  DEFECT: (d: { id: string; operation?: string }) => ({
    message: defectMessage(d.id),
    hint: `${followed(d.operation)}Report it with what the log says`,
  }),
} satisfies Record<string, (details: never) => { message: string; hint: string }>;

export type HttpCode = keyof typeof catalogue;
export const httpCodes = Object.keys(catalogue) as HttpCode[];

export const statusOfHttp: Record<HttpCode, number> = {
  REQUEST_MALFORMED: 400,
  UNAUTHORISED: 401,
  TICKET_INVALID: 401,
  CONSOLE_TICKET_INVALID: 403,
  UPGRADE_REQUIRED: 426,
  SCOPE_MISSING: 403,
  ORIGIN_REFUSED: 403,
  HOST_REFUSED: 421,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMED_OUT: 408,
  MEDIA_TYPE_UNSUPPORTED: 415,
  RATE_EXCEEDED: 429,
  STREAMS_EXHAUSTED: 503,
  ISSUER_UNAVAILABLE: 503,
  PRECONDITION_FAILED: 412,
  IDEMPOTENCY_KEY_REUSED: 422,
  IDEMPOTENCY_KEY_IN_USE: 409,
  ANSWER_NOT_KEPT: 409,
  DEFECT: 500,
};
export type HttpDetails<C extends HttpCode> = Parameters<(typeof catalogue)[C]>[0];

export class HttpError<C extends HttpCode = HttpCode> extends SurfaceError {
  override readonly name = "HttpError";
  readonly code: C;
  readonly status: number;
  readonly hint: string;
  readonly details: HttpDetails<C>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(code: C, details: HttpDetails<C>, headers: Readonly<Record<string, string>> = {}) {
    const { message, hint } = (catalogue[code] as (d: HttpDetails<C>) => { message: string; hint: string })(details);
    super(message);
    this.code = code;
    this.status = statusOfHttp[code];
    this.hint = hint;
    this.details = details;
    this.headers = headers;
  }
}
