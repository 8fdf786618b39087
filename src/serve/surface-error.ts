/** Refusals of one surface, such as a missing scope over HTTP. All other refusals are the domain's. */
import { DomainError } from "../domain/error.ts";
import { type Refusal, refusalOf } from "../tools/respond.ts";

export abstract class SurfaceError extends Error {
  abstract readonly code: string;
  abstract readonly hint: string;
  abstract readonly details: unknown;
}

/** Whether an error is an answer to the caller. Every other error is a defect. */
export const isRefusal = (error: unknown): error is DomainError | SurfaceError =>
  error instanceof DomainError || error instanceof SurfaceError;

/** Both kinds of refusal in one form. */
export function refusalIn(error: DomainError | SurfaceError): Refusal {
  if (error instanceof DomainError) return refusalOf(error);
  const { code, message, hint, details } = error;
  return { code, message, hint, next: null, details };
}
