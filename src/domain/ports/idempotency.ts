/** What the domain's store keeps of requests that may be sent twice and must be done once. */

/** What became of taking a key. `taken`: the request is to be carried out now. `under_way`: the first with this key still
 * is. `other`: the key was used for another request. */
export type KeyTaken =
  | Readonly<{ kind: "taken" | "under_way" | "other" }>
  | Readonly<{ kind: "answered"; answer: string }>;

export interface RequestKeys {
  /** Takes a key for one request, told apart from others by a digest of it. A key that a dead process had, and for which it
   * had begun nothing, is taken over. */
  takeKey(key: string, request: string, forMs: number): Promise<KeyTaken>;
  /** What was asked for has begun, and is not to be carried out again: `answer` is for whoever comes with the same key once
   * this process has ended without another one. */
  beginKey(key: string, answer: string): Promise<void>;
  /** Keeps the answer, for whoever comes with the same key before its time is over. */
  answerKey(key: string, answer: string): Promise<void>;
  /** Nothing was done, so the key may be used as if it never had been. */
  giveKeyBack(key: string): Promise<void>;
}
