/** What the server wrote into the page about itself and about who is looking. */
import type { PageFacts } from "../../src/serve/http/page.ts";

export type { PageFacts };

export function pageFacts(): PageFacts {
  return JSON.parse(document.getElementById("facts")!.textContent) as PageFacts;
}
