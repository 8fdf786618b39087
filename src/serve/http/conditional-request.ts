/** Entity tags. A VM's tag has two parts: one for the facts behind a change (definition, record, power), and one for the
 * text of the answer. A read compares both parts, a change the first alone: a guest's activity changes the answer, and
 * does not invalidate a decision about the VM. */
import { createHash } from "node:crypto";
import { entityVersionOf } from "../../domain/model/entity-version.ts";
import type { State } from "../../domain/model/state.ts";
import { HttpError } from "./http-error.ts";

const short = (text: string) => createHash("sha256").update(text).digest("base64url").slice(0, 22);

/** The tag of an answer. `state` is given for an answer about one VM. */
export const entityTagOf = (body: string, state?: State): string =>
  state ? `"${short(entityVersionOf(state))}.${short(body)}"` : `"${short(body)}"`;

const tagsIn = (header: string) => header.split(",").map((tag) => tag.trim());

/** Whether the caller has this answer already. */
export function matchesIfNoneMatch(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return tagsIn(ifNoneMatch).some((one) => one === "*" || one.replace(/^W\//, "") === tag);
}

/** The check of a change against `If-Match`, made under the VM's claim.
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
