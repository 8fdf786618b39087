/** The entity version of a VM, from which its HTTP entity tag is made. */
import type { State } from "./state.ts";

/** A text that changes with the VM's definition, record, power or run. It serves only for comparison. */
export const entityVersionOf = ({ target, vm, record }: State): string =>
  [target.connection, target.uuid, vm?.fingerprint, vm?.power, vm?.run, record?.revision]
    .map((part) => part ?? "")
    .join("\n");
