/** Changes that are sent again with the same `Idempotency-Key` are made once, and answered alike. */
import { createHash } from "node:crypto";
import type { RequestKeys } from "../../domain/idempotency.ts";
import { HttpRefusal } from "./refusal.ts";

const KEPT_MS = 24 * 3_600_000;
/** An answer that is longer than this is not kept, and neither is its key. */
const ANSWER_CHARACTERS_MAX = 2 ** 20;
const KEY = /^[\x21-\x7e]{1,200}$/;

export type Asked = Readonly<{ caller: string; method: string; path: string; body: Uint8Array }>;
/** `isFinal`: something may have been done, so the same request must not be carried out again. */
export type Answered = Readonly<{ response: Response; isFinal: boolean }>;

/** @throws HttpRefusal IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_IN_USE, REQUEST_MALFORMED */
export async function once(
  keys: () => Promise<RequestKeys>,
  header: string,
  { caller, method, path, body }: Asked,
  carryOut: () => Promise<Answered>,
): Promise<Response> {
  // As a structured header's string it stands in quotes.
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (!KEY.test(key)) throw new HttpRefusal("REQUEST_MALFORMED", { reason: "its Idempotency-Key has no use as one" });
  const store = await keys();
  const digest = (...parts: (string | Uint8Array)[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part).update("\n");
    return hash.digest("hex");
  };
  const name = digest(caller, method, path, key);
  const taken = await store.takeKey(name, digest(body), KEPT_MS);
  if (taken.kind === "other") throw new HttpRefusal("IDEMPOTENCY_KEY_REUSED", { key });
  if (taken.kind === "under_way") throw new HttpRefusal("IDEMPOTENCY_KEY_IN_USE", { key }, { "retry-after": "2" });
  if (taken.kind === "answered") return thaw(taken.answer);
  let kept = false;
  try {
    const { response, isFinal } = await carryOut();
    const text = await response.clone().text();
    if (isFinal && text.length <= ANSWER_CHARACTERS_MAX) {
      await store.answerKey(name, freeze(response, text));
      kept = true;
    }
    return response;
  } finally {
    if (!kept) await store.giveKeyBack(name).catch(() => undefined);
  }
}

const freeze = ({ status, headers }: Response, body: string): string =>
  JSON.stringify({ status, headers: [...headers], body });

function thaw(answer: string): Response {
  const { status, headers, body } = JSON.parse(answer) as {
    status: number;
    headers: [string, string][];
    body: string;
  };
  return new Response(body, { status, headers: [...headers, ["idempotency-replayed", "true"]] });
}
