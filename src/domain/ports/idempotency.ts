/** The store's keys of requests that may be sent twice and must run once. */

/** The result of taking a key. `taken`: the request should run now. `under_way`: the first request with this key still
 * runs. `other`: the key was used for another request. */
export type KeyTaken =
  | Readonly<{ kind: "taken" | "under_way" | "other" }>
  | Readonly<{ kind: "answered"; answer: string }>;

export interface RequestKeys {
  /** Takes a key for one request, which its digest identifies. The key of a dead process that had begun nothing for it
   * is taken over. */
  takeKey(key: string, request: string, forMs: number): Promise<KeyTaken>;
  /** Notes that the request has begun and must not run again. `answer` is given to a repeated request if this process
   * ends without a final answer. */
  beginKey(key: string, answer: string): Promise<void>;
  /** Keeps the answer for repeated requests with the same key, until it expires. */
  answerKey(key: string, answer: string): Promise<void>;
  /** Frees the key, since nothing was done. */
  giveKeyBack(key: string): Promise<void>;
}
