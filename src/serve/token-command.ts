/** `bootwright token`: makes, lists and removes further tokens for HTTP. */
import { scopes } from "../domain/scope.ts";
import { addToken, readTokens, removeToken, TokenError } from "./http/token.ts";

const usage = `Usage:
  bootwright token add NAME --scope SCOPE [--scope SCOPE …]   make a token and print it, once
  bootwright token list                                       list names and scopes
  bootwright token remove NAME                                remove one; servers refuse it within a second

Scopes: ${scopes.join(", ")}
`;

/** Returns the exit code. */
export function tokenCommand(data: string, args: readonly string[]): number {
  const positional = args.filter((arg, index) => arg !== "--scope" && args[index - 1] !== "--scope");
  const wanted = args.filter((_, index) => args[index - 1] === "--scope").flatMap((text) => text.split(","));
  const [verb, name, ...more] = positional;
  try {
    if (verb === "list" && name === undefined) {
      for (const entry of readTokens(data)) process.stdout.write(`${entry.name}  ${entry.scopes.join(" ")}\n`);
      return 0;
    }
    if (name !== undefined && more.length === 0 && verb === "remove") {
      removeToken(data, name);
      return 0;
    }
    if (name !== undefined && more.length === 0 && verb === "add" && wanted.length > 0) {
      process.stdout.write(`${addToken(data, name, wanted, new Date())}\n`);
      return 0;
    }
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  process.stderr.write(usage);
  return 2;
}
