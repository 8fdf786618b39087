/** All tools, and which of them are offered. */
import type { z } from "zod";
import type { Capabilities } from "../domain/ports/backend.ts";
import type { Connections } from "../domain/ports/connections.ts";
import { adoptionTools } from "./adoption.ts";
import { bootTools } from "./boot.ts";
import { databaseTools } from "./database.ts";
import { definitionTools } from "./definition.ts";
import { diskTools } from "./disk.ts";
import { eventTools } from "./event.ts";
import { guestTools } from "./guest.ts";
import { guestLinkTools } from "./guest-link.ts";
import { installationTools } from "./installation.ts";
import { jobTools } from "./job.ts";
import { lifecycleTools } from "./lifecycle.ts";
import { mediaTools } from "./media.ts";
import { operationTools } from "./operation.ts";
import { pluginTools } from "./plugin.ts";
import { powerTools } from "./power.ts";
import { repairTools } from "./repair.ts";
import type { Need, Tool } from "./tool.ts";
import { vmTools } from "./vm.ts";

/** In the order of their listing, which is the same for every caller. */
const catalogue = [
  ...vmTools,
  ...lifecycleTools,
  ...adoptionTools,
  ...powerTools,
  ...bootTools,
  ...mediaTools,
  ...installationTools,
  ...guestLinkTools,
  ...guestTools,
  ...diskTools,
  ...operationTools,
  ...jobTools,
  ...eventTools,
  ...repairTools,
  ...definitionTools,
  ...databaseTools,
  ...pluginTools,
];
export const allTools = catalogue as unknown as readonly Tool[];

/** The answer of each tool, by name. */
export type Answers = { [T in (typeof catalogue)[number] as T["name"]]: z.output<T["output"]> };

const meets = ({ changes, groups }: Capabilities, need: Need): boolean =>
  need in changes || groups.some((group) => group === need);

/** The tools that at least one connection's backend supports. With `readOnly`, only those that change nothing. */
export function offeredTools(connections: Connections, { readOnly }: { readOnly: boolean }): readonly Tool[] {
  const capabilities = connections.names.map((name) => connections.capabilities(name));
  return allTools.filter(
    ({ effect, needs }) =>
      (!readOnly || effect === "read") &&
      (needs.length === 0 || capabilities.some((one) => needs.every((need) => meets(one, need)))),
  );
}
