/** Refusals as problem documents (RFC 9457), each code with its status. */
import { z } from "zod";
import { DomainError, type ErrorCode } from "../../domain/error.ts";
import { refusalOf } from "../../tools/respond.ts";
import { HttpError } from "./http-error.ts";

/** The compiler requires a status for each code. 404: the thing in the URL is missing. 422: a thing in the body is
 * missing. */
export const statusOf: Record<ErrorCode, number> = {
  GUEST_LISTENER_OFF: 409,
  GUEST_PLUGIN_NOT_FOUND: 404,
  INPUT_INVALID: 400,
  TOOL_NOT_FOUND: 404,
  MESSAGE_TOO_LARGE: 413,
  ANSWER_TOO_LARGE: 422,
  SERVER_BUSY: 503,
  CONNECTION_NOT_FOUND: 422,
  VM_NOT_FOUND: 404,
  VM_GONE: 409,
  VM_AMBIGUOUS: 409,
  VM_NOT_MANAGED: 409,
  VM_EXISTS: 409,
  VM_TRANSIENT: 409,
  VM_MUST_BE_OFF: 409,
  VM_PAUSED: 409,
  VM_BUSY: 409,
  VM_CHANGED_MEANWHILE: 409,
  CONSOLE_UNAVAILABLE: 409,
  CHANGE_UNSUPPORTED: 422,
  GROUP_UNSUPPORTED: 422,
  BLOCKED_BY_FINDINGS: 409,
  INSTALLATION_TRANSITION_ILLEGAL: 409,
  ISO_OUTSIDE_LIBRARY: 422,
  ISO_NOT_FOUND: 422,
  PATH_OUTSIDE_IMAGES: 422,
  DISK_EXISTS: 409,
  IMAGE_REFUSED: 409,
  IMAGE_TOOL_FAILED: 502,
  HOST_SPACE_LACKING: 422,
  HOST_TOO_SMALL: 422,
  DRIVE_NOT_FOUND: 422,
  DISK_NOT_FOUND: 422,
  SHRINK_REFUSED: 422,
  DISK_NOT_GROWABLE: 409,
  TRAY_LOCKED: 409,
  SHUTDOWN_TIMED_OUT: 409,
  CONFIRMATION_REQUIRED: 428,
  CONFIRMATION_BY_PERSON: 403,
  CONFIRMATION_INVALID: 412,
  CONFIRMATION_DECLINED: 403,
  OPERATION_NOT_FOUND: 404,
  JOB_NOT_FOUND: 404,
  JOB_ENDED: 409,
  JOB_INTERRUPTED: 502,
  EVENT_NOT_FOUND: 404,
  SUBSCRIBER_NOT_FOUND: 422,
  UNDO_IMPOSSIBLE: 409,
  DEFINITION_NOT_FOUND: 404,
  REPAIR_IMPOSSIBLE: 409,
  OUTCOME_UNKNOWN: 502,
  ROLLBACK_FAILED: 502,
  GOAL_NOT_REACHED: 502,
  CANCELLED: 503,
  BACKEND_UNAVAILABLE: 503,
  BACKEND_FAILED: 502,
  PERMISSION_DENIED: 403,
  PLUGIN_FAILED: 502,
  PLUGIN_TIMED_OUT: 504,
  PLUGIN_NAME_TAKEN: 500,
  PLUGIN_NOT_FOUND: 500,
  PLUGIN_INVALID: 500,
  PLUGIN_CONFIG_INVALID: 500,
  STORE_LOCKED: 503,
  STORE_READ_ONLY: 500,
  STORE_TOO_NEW: 500,
  STORE_CORRUPT: 500,
  STORE_UNAVAILABLE: 503,
};

/** Retry-After in seconds, for refusals that may pass soon. */
const retryAfter: Partial<Record<ErrorCode, string>> = {
  SERVER_BUSY: "1",
  VM_BUSY: "2",
  CANCELLED: "5",
  BACKEND_UNAVAILABLE: "10",
  STORE_LOCKED: "5",
  STORE_UNAVAILABLE: "10",
};

export const Problem = z.object({
  type: z.string().describe("A URI that names the code"),
  title: z.string().describe("The code in words"),
  status: z.number().int().min(400).max(599),
  detail: z.string().describe("What failed"),
  instance: z.string().optional().describe("The path of the request"),
  code: z.string().describe("Never renamed"),
  hint: z.string().describe("How to make the request succeed"),
  next: z.string().nullable().describe("The tool to call next"),
  details: z.record(z.string(), z.unknown()),
  outcome: z
    .object({ operation: z.string(), status: z.string(), kept: z.array(z.string()) })
    .optional()
    .describe("How the failed operation ended"),
});
export type Problem = z.input<typeof Problem>;

export const PROBLEM_TYPE = "application/problem+json";

/** Whether an error is an answer over HTTP. Every other error is a defect. */
export const isProblem = (error: unknown): error is DomainError | HttpError =>
  error instanceof DomainError || error instanceof HttpError;

/** `VM_NOT_FOUND` is the title "VM not found" of the type `urn:bootwright:error:vm-not-found`. */
export function problemOf(error: DomainError | HttpError, instance?: string): Problem {
  const { code } = error;
  const isDomain = error instanceof DomainError;
  const { message, hint, next, details, outcome } = isDomain
    ? refusalOf(error)
    : { ...error, message: error.message, next: null, outcome: undefined };
  const words = code.toLowerCase().replaceAll("_", " ");
  return {
    type: `urn:bootwright:error:${code.toLowerCase().replaceAll("_", "-")}`,
    title: words.replace(/^./, (first) => first.toUpperCase()).replace(/\b(vm|iso)\b/gi, (word) => word.toUpperCase()),
    status: isDomain ? statusOf[error.code] : error.status,
    detail: message,
    ...(instance !== undefined && { instance }),
    code,
    hint,
    next,
    details: details as Record<string, unknown>,
    ...(outcome !== undefined && { outcome: outcome as NonNullable<Problem["outcome"]> }),
  };
}

export function problemResponse(error: DomainError | HttpError, instance?: string): Response {
  const problem = problemOf(error, instance);
  const again = error instanceof DomainError ? retryAfter[error.code] : undefined;
  const headers = {
    "content-type": PROBLEM_TYPE,
    ...(again !== undefined && { "retry-after": again }),
    ...(error instanceof HttpError && error.headers),
  };
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
