/** Refusals that only one surface knows, such as a lacking scope over HTTP; all others are the domain's. */
import { DomainError } from "../domain/error.ts";
import { type Refusal, refusalOf } from "../tools/respond.ts";

export abstract class SurfaceError extends Error {
  abstract readonly code: string;
  abstract readonly hint: string;
  abstract readonly details: unknown;
}

/** Whether an error is an answer to the caller. Every other one is a defect. */
export const isRefusal = (error: unknown): error is DomainError | SurfaceError =>
  error instanceof DomainError || error instanceof SurfaceError;

/** The same form for both. */
export function refusalIn(error: DomainError | SurfaceError): Refusal {
  if (error instanceof DomainError) return refusalOf(error);
  const { code, message, hint, details } = error;
  return { code, message, hint, next: null, details };
}
