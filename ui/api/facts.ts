/** Facts about the server and the caller, which the server writes into the page. */
import type { PageFacts } from "../../src/serve/http/page.ts";

export type { PageFacts };

export function readPageFacts(): PageFacts {
  return JSON.parse(document.getElementById("facts")!.textContent) as PageFacts;
}

const scopeOf = { read: "vm:read", change: "vm:write", destroy: "vm:destroy" } as const;

/** Whether the server offers this tool and the caller's scopes cover it. */
export function isAllowed({ tools, scopes }: PageFacts, tool: string): boolean {
  const known = tools[tool];
  return known !== undefined && scopes.includes(scopeOf[known.effect]);
}
