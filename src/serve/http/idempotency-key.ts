/** Makes a change once for an `Idempotency-Key`, and answers repeated requests with the first answer. */
import { createHash } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import type { RequestKeys } from "../../domain/ports/idempotency.ts";
import { HttpError } from "./http-error.ts";
import { problemOf, problemResponse } from "./problem.ts";

const KEPT_MS = 24 * 3_600_000;
/** A longer answer is not stored, only the fact that there was one. */
const ANSWER_CHARACTERS_MAX = 2 ** 20;
/** The delays before further attempts to store an answer. */
const KEEP_AGAIN_MS = [500, 1_000, 5_000, 15_000, 60_000, 300_000];
const KEY = /^[\x21-\x7e]{1,200}$/;

export type KeyedRequest = Readonly<{ caller: string; method: string; path: string; body: Uint8Array }>;
/** `isFinal`: something may have been done, so the request must not be carried out again. */
export type KeyedAnswer = Readonly<{ response: Response; isFinal: boolean; isSecret?: boolean; operation?: string }>;

/** @throws HttpError IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_IN_USE, REQUEST_MALFORMED */
export async function withIdempotencyKey(
  keys: () => Promise<RequestKeys>,
  header: string,
  { caller, method, path, body }: KeyedRequest,
  carryOut: (begun: (operation: string) => Promise<void>) => Promise<KeyedAnswer>,
): Promise<Response> {
  // As a structured header's string the key is quoted.
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (!KEY.test(key))
    throw new HttpError("REQUEST_MALFORMED", {
      reason: "its Idempotency-Key is not 1 to 200 printable ASCII characters",
    });
  const store = await keys();
  const digest = (...parts: (string | Uint8Array)[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part).update("\n");
    return hash.digest("hex");
  };
  const name = digest(caller, method, path, key);
  const taken = await store.takeKey(name, digest(body), KEPT_MS);
  if (taken.kind === "other") throw new HttpError("IDEMPOTENCY_KEY_REUSED", { key });
  if (taken.kind === "under_way") throw new HttpError("IDEMPOTENCY_KEY_IN_USE", { key }, { "retry-after": "2" });
  if (taken.kind === "answered") return deserialise(taken.answer);
  const giveBack = () => store.giveKeyBack(name).catch(() => undefined);
  // If the beginning cannot be stored, the answer still may be.
  const begun = async (operation: string) =>
    store.beginKey(name, notStored("was lost with the server that made it", operation)).catch(() => undefined);
  const answered = await carryOut(begun).catch(async (error: unknown) => {
    await giveBack();
    throw error;
  });
  if (answered.isFinal) await storeAnswer(store, name, await storedAnswer(answered));
  else await giveBack();
  return answered.response;
}

/** The answer for later requests with the same key. */
async function storedAnswer({ response, isSecret, operation }: KeyedAnswer): Promise<string> {
  const text = isSecret ? "" : await response.clone().text();
  if (!isSecret && text.length <= ANSWER_CHARACTERS_MAX) return serialise(response, text);
  const reason = isSecret ? "is a secret, which is not kept" : "was too long to be kept";
  return notStored(reason, operation);
}

function notStored(reason: string, operation: string | undefined): string {
  const refusal = new HttpError("ANSWER_NOT_KEPT", { reason, ...(operation !== undefined && { operation }) });
  return serialise(problemResponse(refusal), JSON.stringify(problemOf(refusal)));
}

/** Stores the answer, and retries in the background. Until then the key counts as in use. */
async function storeAnswer(store: RequestKeys, name: string, answer: string): Promise<void> {
  const isKept = () =>
    store.answerKey(name, answer).then(
      () => true,
      () => false,
    );
  if (await isKept()) return;
  void (async () => {
    for (const pauseMs of KEEP_AGAIN_MS) {
      await after(pauseMs, undefined, { ref: false });
      if (await isKept()) return;
    }
  })();
}

const serialise = ({ status, headers }: Response, body: string): string =>
  JSON.stringify({ status, headers: [...headers], body });

function deserialise(answer: string): Response {
  const { status, headers, body } = JSON.parse(answer) as {
    status: number;
    headers: [string, string][];
    body: string;
  };
  return new Response(body, { status, headers: [...headers, ["idempotency-replayed", "true"]] });
}
