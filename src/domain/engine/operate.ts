/** The one flow of every change: claim -> observe -> decide -> begin -> apply -> observe -> settle. */
import type { Change } from "../changes/catalogue.ts";
import { stateToKeep } from "../changes/journal.ts";
import { type Operation, settledInWords, targetsOf } from "../changes/operation.ts";
import { DomainError } from "../error.ts";
import type { State } from "../model/state.ts";
import type { Target } from "../model/vm.ts";
import type { CallContext } from "../ports/call-context.ts";
import type { Ports } from "../ports/operation-ports.ts";
import type { Claim } from "../ports/store.ts";
import { type ObserveOptions, observe } from "./observe.ts";
import { decide, type Plan } from "./plan.ts";
import { recover } from "./recover.ts";
import { run } from "./run.ts";

export type Request = Readonly<{
  target: Target;
  /** Further VMs and things to claim. */
  also?: readonly Target[];
  /** The calling tool's name. */
  what: string;
  /** The changes to make, given the present state. Pure; may throw a DomainError. */
  intent: (state: State) => readonly Change[];
  look?: Omit<ObserveOptions, "signal">;
  accept?: readonly string[];
  dryRun?: boolean;
  /** The token of a confirmation; `subject` is what it must have been given for. */
  confirm?: string;
  subject: string;
  context: CallContext;
}>;

export type Outcome = Readonly<{ operation?: string; changed: boolean; before: State; after: State; plan: Plan }>;

const CONFIRMATION_MS = 5 * 60_000;

/** Makes the changes that `intent` returns; a dry run only plans them.
 * @throws DomainError when the request is refused, was rolled back, or has an unknown outcome */
export async function operate(ports: Ports, request: Request): Promise<Outcome> {
  try {
    return request.dryRun ? await prepare(ports, request, true) : await carryOut(ports, request);
  } catch (error) {
    // Before the operation begins, any failure of a cancelled call only means that it was cancelled.
    const saysOutcome =
      error instanceof DomainError && (error.outcome !== undefined || error.code === "OUTCOME_UNKNOWN");
    if (saysOutcome || !request.context.signal.aborted) throw error;
    throw new DomainError("CANCELLED", { vm: request.target.uuid }, { cause: error });
  }
}

async function carryOut(ports: Ports, request: Request): Promise<Outcome> {
  const claim = await claimAll(ports, request);
  try {
    await settleLeft(ports, claim, request);
    const prepared = await prepare(ports, request, false);
    if (prepared.plan.steps.length === 0) return prepared;
    return await perform({ ...ports, claim }, request, prepared);
  } finally {
    await claim.release();
  }
}

/** Claims the requested targets, and all targets of the operations left open on them, which are settled first. */
async function claimAll(ports: Ports, { target, also = [], what, context }: Request): Promise<Claim> {
  const { actor, signal } = context;
  for (let targets = [target, ...also]; ; ) {
    const claim = await ports.store.claim(targets, { actor, what }, ports.claimWaitMs, signal);
    const left = claim.left.flatMap(targetsOf);
    const missing = left.filter((one) => !targets.some((held) => isSame(held, one)));
    if (missing.length === 0) return claim;
    // All are claimed anew: claiming one more beside those held could deadlock.
    await claim.release();
    targets = [...targets, ...missing];
  }
}

const isSame = (a: Target, b: Target): boolean => a.connection === b.connection && a.uuid === b.uuid;

/** Observes and decides; it changes nothing. */
async function prepare(ports: Ports, request: Request, dryRun: boolean): Promise<Outcome> {
  const look = { ...request.look, signal: request.context.deadline.signal };
  const before = await observe(ports, request.target, look);
  request.context.expect?.(before);
  const plan = decide(before, request.intent(before), ports.backend.capabilities, request.accept);
  if (!dryRun && plan.losses.length) await confirm(ports, request, before, plan);
  return { changed: dryRun && plan.steps.length > 0, before, after: dryRun ? plan.goal : before, plan };
}

async function perform(ports: Ports, request: Request, { before, plan }: Outcome): Promise<Outcome> {
  const { backend, store } = ports;
  const definition = before.vm
    ? await backend.exportDefinition(request.target.uuid, request.context.deadline.signal)
    : undefined;
  const operation: Operation = {
    id: ports.newId(),
    target: request.target,
    ...(request.also?.length && { targets: [request.target, ...request.also] }),
    actor: request.context.actor,
    what: request.what,
    direction: "forward",
    status: "begun",
    before: stateToKeep(before),
    steps: plan.steps.map((step, index) => (index === 0 ? { ...step, status: "applying" } : step)),
    ...(definition !== undefined && { definition }),
    begunAt: ports.now().toISOString(),
  };
  await store.begin(operation);
  await request.context.begun?.(operation.id);
  try {
    const after = await run(ports, operation, before, request.context);
    return { operation: operation.id, changed: true, before, after, plan };
  } catch (error) {
    // A refusal without an outcome comes from the store, so how far the operation came is unknown.
    if (!(error instanceof DomainError) || error.outcome || error.code === "OUTCOME_UNKNOWN") throw error;
    const details = { vm: request.target.uuid, operation: operation.id, reason: error.message };
    throw new DomainError("OUTCOME_UNKNOWN", details, { cause: error });
  }
}

/** Settles the operations that dead processes left open on this VM, before anything else happens to it. */
async function settleLeft(ports: Ports, claim: Claim, { target, context }: Request): Promise<void> {
  for (const operation of claim.left) {
    const settled = await recover(ports, operation, context.signal);
    const message = settledInWords(operation, settled.status);
    context.progress(message);
    // While the outcome stays unknown, every call settles anew and would repeat the same line.
    if (settled.status !== operation.status) context.log?.(message);
    if (settled.status === "unknown") {
      const { error, until } = settled;
      const reason = error?.message ?? "it was interrupted";
      throw new DomainError("OUTCOME_UNKNOWN", {
        vm: target.uuid,
        operation: operation.id,
        reason,
        ...(until && { until }),
      });
    }
  }
}

/** Requires a confirmation of the losses: a token that is valid once, for this call on this VM in this state. */
async function confirm(ports: Ports, request: Request, state: State, plan: Plan): Promise<void> {
  const vm = state.vm?.name ?? request.target.uuid;
  const subject = [
    request.subject,
    request.target.uuid,
    state.vm?.fingerprint ?? "",
    state.vm?.run ?? "",
    ...plan.losses,
  ].join("\n");
  if (request.confirm !== undefined) {
    if (await ports.store.takeConfirmation(request.confirm, subject)) return;
    throw new DomainError("CONFIRMATION_INVALID", { vm });
  }
  const token = ports.newId();
  await ports.store.offerConfirmation(token, subject, CONFIRMATION_MS);
  const expiresAt = new Date(ports.now().getTime() + CONFIRMATION_MS).toISOString();
  throw new DomainError("CONFIRMATION_REQUIRED", { vm, losses: plan.losses, confirm: token, expiresAt });
}

/** The plan in words, for a dry run. */
export const stepsInWords = (plan: Plan): string[] => plan.steps.map(({ summary }) => summary);
