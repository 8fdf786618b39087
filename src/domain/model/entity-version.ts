/** The entity tag of a VM: changes whenever anything changes that an answer about the VM is made from. */
import type { State } from "./state.ts";

/** Another text once the definition, the record or the power of this VM is another: for comparing, and nothing else. */
export const entityVersionOf = ({ target, vm, record }: State): string =>
  [target.connection, target.uuid, vm?.fingerprint, vm?.power, vm?.run, record?.revision]
    .map((part) => part ?? "")
    .join("\n");
