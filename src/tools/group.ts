/** The optional groups of backends. A tool is offered if any connection has its group, so it may be called for a VM on a
 * connection without it. */
import { DomainError } from "../domain/error.ts";
import type { Backend } from "../domain/ports/backend.ts";
import type { BackendGroups, GroupName } from "../domain/ports/backend-groups.ts";
import type { Services } from "./tool.ts";

/** @throws DomainError GROUP_UNSUPPORTED with the connections that have the group */
export function groupOf<G extends GroupName>(
  { connections }: Pick<Services, "connections">,
  backend: Backend,
  group: G,
): BackendGroups[G] {
  const found: Partial<BackendGroups>[G] = backend[group];
  if (found) return found;
  throw new DomainError("GROUP_UNSUPPORTED", {
    group,
    connection: backend.connection,
    backend: backend.capabilities.backend,
    connections: connections.names.filter((name) => connections.capabilities(name).groups.includes(group)),
  });
}
