/** The table of findings. What each says, and what mends it, is what the boot rules say of the first state in which the
 * tests expect it. */
import { findingsOf } from "../../src/domain/model/boot-rules.ts";
import { finding, findingCodes } from "../../src/domain/model/finding.ts";
import { table as cases } from "../../test/domain/model/finding-table.ts";
import { code, codes, table } from "./markdown.ts";

export const findingsTable = (): string =>
  table(
    ["finding", "severity", "blocks", "accept", "says, for example", "mended by"],
    findingCodes.map((name) => {
      const { severity, blocks, overridable } = finding(name, "");
      const accept = blocks.length === 0 ? "–" : overridable ? "yes" : "no";
      const { message, fixes } = exampleOf(name);
      return [code(name), severity, blocks.join(", ") || "–", accept, message, codes(toolsIn(fixes)) || "–"];
    }),
  );

/** @throws Error for a finding that no test expects */
function exampleOf(name: (typeof findingCodes)[number]) {
  const states = Object.values(cases.find((row) => row.code === name)?.when ?? {});
  const [found] = states.flatMap((state) => findingsOf(state).filter((one) => one.code === name));
  if (!found) throw new Error(`No state in test/domain/model/finding-table.ts has the finding ${name}`);
  return found;
}

const toolsIn = (fixes: readonly Readonly<{ tool: string }>[]) => [...new Set(fixes.map(({ tool }) => tool))];
