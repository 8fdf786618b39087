/** Entity tags. That of a VM has two parts: one for what a change is decided on (definition, record, power), and one for
 * the text of the answer. A look compares the whole, a change the first part alone: what a guest does meanwhile changes
 * the answer, and does not make a decision about the VM wrong. */
import { createHash } from "node:crypto";
import { entityVersionOf } from "../../domain/model/entity-version.ts";
import type { State } from "../../domain/model/state.ts";
import { HttpError } from "./http-error.ts";

const short = (text: string) => createHash("sha256").update(text).digest("base64url").slice(0, 22);

/** The tag of an answer; `state` where it is about one VM. */
export const entityTagOf = (body: string, state?: State): string =>
  state ? `"${short(entityVersionOf(state))}.${short(body)}"` : `"${short(body)}"`;

const tagsIn = (header: string) => header.split(",").map((tag) => tag.trim());

/** Whether who asks has this answer already. */
export function matchesIfNoneMatch(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return tagsIn(ifNoneMatch).some((one) => one === "*" || one.replace(/^W\//, "") === tag);
}

/** What checks a change against `If-Match`, under the VM's claim.
 * @throws HttpError PRECONDITION_FAILED */
export function ifMatchCheck(ifMatch: string): (state: State) => void {
  const wanted = tagsIn(ifMatch);
  return (state) => {
    const version = short(entityVersionOf(state));
    const isThere = state.vm !== undefined || state.record !== undefined;
    const fits = (tag: string) => (tag === "*" ? isThere : /^"([\w-]+)\.[\w-]+"$/.exec(tag)?.[1] === version);
    if (!wanted.some(fits)) throw new HttpError("PRECONDITION_FAILED", { vm: state.vm?.name ?? state.target.uuid });
  };
}
