import type { State } from "../changes/operation.ts";

/** Another text once the definition, the record or the power of this VM is another: for comparing, and nothing else. */
export const entityVersionOf = ({ target, vm, record }: State): string =>
  [target.connection, target.uuid, vm?.fingerprint, vm?.power, vm?.run, record?.revision]
    .map((part) => part ?? "")
    .join("\n");
