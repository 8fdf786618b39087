/** Verifies access tokens of an OAuth issuer (RFC 9068), and names the issuer to clients (RFC 9728). Issues no tokens. */
import { createHash } from "node:crypto";
import { createRemoteJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import { type Scope, scopes } from "../../domain/scope.ts";
import { HttpError } from "./http-error.ts";
import type { Caller } from "./token.ts";

/** `audience` is the URL of `/mcp` for clients, and the `aud` claim of their tokens. */
export type OAuthSettings = Readonly<{ issuer: string; audience: string }>;

/** The caller of a token, and the token's expiry in milliseconds since 1970. */
export type Verified = Readonly<{ caller: Caller; until: number }>;

export type OAuth = Readonly<{
  metadata: object;
  /** The `WWW-Authenticate` header of a refusal, with its error and the needed scope. */
  challenge: (error?: "invalid_token" | "insufficient_scope", scope?: string) => string;
  /** A text is the reason of a refusal. Undefined for a token that is not this issuer's.
   * @throws HttpError ISSUER_UNAVAILABLE */
  verify: (token: string) => Promise<Verified | string | undefined>;
}>;

/** Asymmetric algorithms alone: this server shares no secret with the issuer. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const ISSUER_LIMIT_MS = 5_000;
const CLOCKS_DIFFER_SECONDS = 30;
/** The scopes that clients ask for first. */
const usualScope = "vm:read vm:write";
const NAME_MAX = 80;

export function oauthOf({ issuer, audience }: OAuthSettings): OAuth {
  const { origin, pathname } = new URL(audience);
  const metadataUrl = `${origin}/.well-known/oauth-protected-resource${pathname === "/" ? "" : pathname}`;
  let keys: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined;
  const theKeys = () => {
    if (keys) return keys;
    keys = keysOf(issuer);
    // The failure is kept for a while, so that not every request asks an unreachable issuer.
    const forget = () => {
      keys = undefined;
    };
    keys.catch(() => setTimeout(forget, ISSUER_LIMIT_MS).unref());
    return keys;
  };
  return {
    metadata: {
      resource: audience,
      authorization_servers: [issuer],
      scopes_supported: scopes,
      bearer_methods_supported: ["header"],
      resource_name: "Bootwright",
    },
    challenge: (error, scope = usualScope) =>
      `Bearer realm="bootwright"${error ? `, error="${error}"` : ""}, scope="${scope}", resource_metadata="${metadataUrl}"`,
    async verify(token) {
      if (issuerIn(token) !== issuer) return undefined;
      try {
        const set = await theKeys();
        const options = {
          issuer,
          audience,
          algorithms,
          requiredClaims: ["exp"],
          clockTolerance: CLOCKS_DIFFER_SECONDS,
        };
        const { payload } = await jwtVerify(token, set, options);
        return verified(payload) ?? "this access token has no sub and no client_id";
      } catch (error) {
        const reason = error instanceof errors.JOSEError && faults[error.code];
        if (reason) return `this access token ${reason}`;
        const cause = error instanceof Error ? error.message : String(error);
        throw new HttpError("ISSUER_UNAVAILABLE", { issuer, cause }, { "retry-after": "10" });
      }
    },
  };
}

const faults: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: "has expired",
  ERR_JWT_CLAIM_VALIDATION_FAILED: "was issued for another server, or is not valid yet",
  ERR_JWT_INVALID: "cannot be read",
  ERR_JWS_INVALID: "cannot be read",
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "was not signed by its issuer",
  ERR_JWKS_NO_MATCHING_KEY: "was not signed by its issuer",
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: "does not name the key that it was signed with",
  ERR_JOSE_ALG_NOT_ALLOWED: "was signed in a way that is not accepted",
  ERR_JOSE_NOT_SUPPORTED: "was signed in a way that is not accepted",
};

function issuerIn(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

function verified({ sub, client_id, scope, scp, exp }: JWTPayload): Verified | undefined {
  const who = sub ?? client_id;
  if (typeof who !== "string" || who === "") return undefined;
  const granted = [scope, scp].flatMap((claim) => (typeof claim === "string" ? claim.split(" ") : (claim ?? [])));
  const has = scopes.filter((one) => (granted as unknown[]).includes(one)) as Scope[];
  return { caller: { name: nameOf(who), scopes: has, person: false, mayAskForMore: true }, until: exp! * 1000 };
}

/** The slash keeps the name apart from this server's own tokens, whose names have none. */
function nameOf(who: string): string {
  const plain = encodeURIComponent(who.toWellFormed());
  return `oauth/${plain.length <= NAME_MAX ? plain : createHash("sha256").update(who).digest("base64url")}`;
}

const Metadata = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** @throws Error for an issuer that does not answer, or whose metadata is invalid */
async function keysOf(issuer: string): Promise<ReturnType<typeof createRemoteJWKSet>> {
  for (const url of metadataUrlsOf(issuer)) {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(ISSUER_LIMIT_MS) });
    if (!response.ok) {
      await response.body?.cancel();
      continue;
    }
    const { issuer: named, jwks_uri } = Metadata.parse(await response.json());
    if (named !== issuer) throw new Error(`its metadata at ${url} names another issuer, ${named.slice(0, 200)}`);
    if (!isSafe(jwks_uri)) throw new Error("its jwks_uri is neither https nor on loopback");
    return createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: ISSUER_LIMIT_MS });
  }
  throw new Error("it publishes no metadata");
}

/** The metadata URLs of RFC 8414 and of OpenID Connect. */
function metadataUrlsOf(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ].filter((url, index, all) => all.indexOf(url) === index);
}

/** Whether answers of this URL are safe from changes on their way: https, or loopback. */
export function isSafe(url: string): boolean {
  const { protocol, hostname } = URL.parse(url) ?? { protocol: "", hostname: "" };
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}
