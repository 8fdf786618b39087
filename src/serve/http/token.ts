/** Tokens, their scopes and their files. The main token is stored in clear text, since whoever can read the data directory
 * has full access anyway. Of further tokens only a hash is stored. */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Scope, scopes } from "../../domain/scope.ts";

/** The caller. `person`: a person at a browser, who can be asked for confirmation. `mayAskForMore`: the token comes from an
 * issuer, which can give another one with more scopes. */
export type Caller = Readonly<{ name: string; scopes: readonly Scope[]; person: boolean; mayAskForMore?: true }>;

/** The name of the main token, which has every scope and exists from the first start. */
export const MAIN = "main";

const TokenEntry = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "letters, digits, '.', '_' and '-', at most 64"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(scopes)).min(1),
  created_at: z.string().optional(),
});
export type TokenEntry = z.output<typeof TokenEntry>;

/** An unusable token or token file. `message` names the file and the expected form. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

const TOKEN_CHARACTERS_MIN = 32;
const mainFile = (data: string) => join(data, "http.token");
const tokensFile = (data: string) => join(data, "http.tokens.json");
const hashOf = (token: string) => createHash("sha256").update(token).digest();
export const newSecret = () => randomBytes(32).toString("base64url");

/** The given main token, else the one in the data directory, which the first start makes.
 * @throws TokenError */
export function mainToken(data: string, given: Readonly<{ token?: string; file?: string }>): string {
  if (given.token !== undefined) return checkToken(given.token, "BOOTWRIGHT_TOKEN");
  if (given.file !== undefined) return checkToken(readSecret(given.file), given.file);
  const path = mainFile(data);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (!statSync(path, { throwIfNoEntry: false })) {
    // Several servers may start at once. link() lets one put its whole token there, and all read that token.
    const made = `${path}.${randomUUID()}`;
    writeFileSync(made, `${newSecret()}\n`, { mode: 0o600 });
    try {
      linkSync(made, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(made, { force: true });
    }
  }
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  return checkToken(readSecret(path), path);
}

function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new TokenError(`Cannot read token file ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

function checkToken(token: string, from: string): string {
  if (token.length >= TOKEN_CHARACTERS_MIN && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new TokenError(
    `Cannot use the token in ${from}: expected at least ${TOKEN_CHARACTERS_MIN} characters without spaces`,
  );
}

/** How often the file of further tokens is read: a removed token is refused within this time. */
const RECHECK_MS = 500;

/** Returns the function that finds a token's caller, among the main token and the current further ones. */
export function tokensIn(data: string, main: string, log: (message: string) => void) {
  const first = { name: MAIN, hash: hashOf(main), scopes: scopes as readonly Scope[] };
  let [known, identity, checkedAt, logged] = [[first], "", Number.NEGATIVE_INFINITY, ""];
  const current = () => {
    if (performance.now() - checkedAt < RECHECK_MS) return known;
    checkedAt = performance.now();
    const stat = statSync(tokensFile(data), { throwIfNoEntry: false });
    const now = stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : "";
    if (now === identity) return known;
    try {
      known = [first, ...readTokens(data).map((entry) => ({ ...entry, hash: Buffer.from(entry.sha256, "hex") }))];
      identity = now;
    } catch (error) {
      // An unreadable file authenticates nobody.
      known = [first];
      const message = error instanceof Error ? error.message : String(error);
      if (message !== logged) log(message);
      logged = message;
    }
    return known;
  };
  return (token: string): Caller | undefined => {
    const hash = hashOf(token);
    // All tokens are compared, so that the time reveals nothing.
    const [found] = current().filter((candidate) => timingSafeEqual(candidate.hash, hash));
    return found && { name: found.name, scopes: found.scopes, person: false };
  };
}
export type FindCaller = ReturnType<typeof tokensIn>;

/** @throws TokenError */
export function readTokens(data: string): readonly TokenEntry[] {
  const path = tokensFile(data);
  if (!statSync(path, { throwIfNoEntry: false })) return [];
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new TokenError(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = z.array(TokenEntry).safeParse(json);
  if (parsed.success) return parsed.data;
  throw new TokenError(`Cannot read ${path}: ${z.prettifyError(parsed.error)}`);
}

function writeTokens(data: string, entries: readonly TokenEntry[]): void {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const made = `${tokensFile(data)}.${randomUUID()}`;
  writeFileSync(made, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
  renameSync(made, tokensFile(data));
}

/** Makes a further token. Only its hash is stored. @throws TokenError */
export function addToken(data: string, name: string, wanted: readonly string[], now: Date): string {
  const entries = readTokens(data);
  if (name === MAIN || entries.some((entry) => entry.name === name))
    throw new TokenError(`Cannot add token "${name}": that name is taken`);
  const token = newSecret();
  const entry = { name, sha256: hashOf(token).toString("hex"), scopes: wanted, created_at: now.toISOString() };
  const parsed = TokenEntry.safeParse(entry);
  if (!parsed.success) throw new TokenError(`Cannot add token "${name}": ${z.prettifyError(parsed.error)}`);
  writeTokens(data, [...entries, parsed.data]);
  return token;
}

/** @throws TokenError for an unknown name */
export function removeToken(data: string, name: string): void {
  const entries = readTokens(data);
  const left = entries.filter((entry) => entry.name !== name);
  if (left.length === entries.length) {
    const known = entries.map((entry) => entry.name).join(", ") || "none";
    throw new TokenError(`Cannot remove token "${name}": no token has that name. Known tokens: ${known}`);
  }
  writeTokens(data, left);
}
