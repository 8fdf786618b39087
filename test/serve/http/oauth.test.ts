/** Access tokens of an OAuth issuer, beside this server's own. */
// @module-tag process
import { SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { type HttpServer, openHttp } from "../../support/http.ts";
import { type Issuer, openIssuer } from "../../support/issuer.ts";
import { generations } from "../callers.ts";

const audience = "https://vms.example.org/mcp";
const metadata = "https://vms.example.org/.well-known/oauth-protected-resource/mcp";

async function open(): Promise<HttpServer & { issuer: Issuer }> {
  const issuer = await openIssuer(audience);
  const server = await openHttp({ settings: ["--oauth-issuer", issuer.url, "--oauth-audience", audience] });
  return { ...server, issuer };
}
const callerOf = async ({ url }: HttpServer, token: string) => {
  const caller = await generations["2026-07-28"]({ settings: { url, token } });
  onTestFinished(() => caller.close());
  return caller;
};

describe("an issuer", () => {
  it("is named to whoever asks, and to whoever comes without a token", async () => {
    const { url, ask, issuer } = await open();
    for (const path of ["", "/mcp"]) {
      const document = await fetch(`${url}/.well-known/oauth-protected-resource${path}`);
      expect([document.status, await document.json()]).toMatchObject([
        200,
        {
          resource: audience,
          authorization_servers: [issuer.url],
          scopes_supported: ["vm:read", "vm:write", "vm:destroy"],
        },
      ]);
    }
    const { status, headers } = await ask("POST", "/mcp", {}, { token: null });
    const challenge = `Bearer realm="bootwright", scope="vm:read vm:write", resource_metadata="${metadata}"`;
    expect([status, headers.get("www-authenticate")]).toEqual([401, challenge]);
  });

  it("gives tokens that are good for REST and for MCP, as far as their scopes go", async () => {
    const server = await open();
    const token = await server.issuer.token({ scope: "openid vm:read vm:write" });
    expect((await server.ask("POST", "/api/vms", { name: "web" }, { token })).status).toBe(201);
    const caller = await callerOf(server, token);
    expect((await caller.call("create_vm", { name: "mail" })).structuredContent).toMatchObject({ changed: true });
    const { operations } = (await server.ask("GET", "/api/operations")).body;
    const actors = operations.map(({ actor }: { actor: string }) => actor);
    expect(actors).toEqual(["mcp-http:oauth/alice:interop 1.0", "http:oauth/alice"]);
  });

  it("is asked for more: a call beyond the scopes says in the header which one it takes, and tools of all are listed", async () => {
    const server = await open();
    const token = await server.issuer.token({ scp: ["vm:read"] });
    const caller = await callerOf(server, token);
    expect((await caller.tools()).map(({ name }) => name)).toContain("delete_vm");
    await expect(caller.call("create_vm", { name: "web" })).rejects.toThrow("vm:write");
    const { status, headers, body } = await server.ask("POST", "/api/vms", { name: "web" }, { token });
    const wanted = `error="insufficient_scope", scope="vm:write", resource_metadata="${metadata}"`;
    expect([status, body.code]).toEqual([403, "SCOPE_MISSING"]);
    expect(headers.get("www-authenticate")).toBe(`Bearer realm="bootwright", ${wanted}`);
  });

  it("that is away keeps its tokens out, and nobody else", async () => {
    const server = await open();
    const token = await server.issuer.token({ scope: "vm:read" });
    server.issuer.close();
    expect(await server.ask("GET", "/api/vms", undefined, { token })).toMatchObject({
      status: 503,
      body: { code: "ISSUER_UNAVAILABLE", details: { issuer: server.issuer.url } },
    });
    expect((await server.ask("GET", "/api/vms")).status).toBe(200);
  });
});

describe("an access token", () => {
  const past = Math.floor(Date.now() / 1000) - 3_600;
  const forged = (claims: object) => new SignJWT({ ...claims }).setProtectedHeader({ alg: "HS256" });
  const refused: Record<string, (issuer: Issuer) => Promise<string> | string> = {
    "that has expired": ({ token }) => token({ scope: "vm:read", exp: past }),
    "that never expires": ({ token }) => token({ scope: "vm:read", exp: undefined as never }),
    "that is not good yet": ({ token }) => token({ scope: "vm:read", nbf: past + 7_200 }),
    "for another audience": ({ token }) => token({ scope: "vm:read", aud: "https://elsewhere.example/mcp" }),
    "of another issuer": ({ token }) => token({ scope: "vm:read", iss: "https://elsewhere.example" }),
    "of nobody": ({ token }) => token({ scope: "vm:read", sub: "" }),
    "signed with a key that is not the issuer's": async (issuer) => {
      const other = await openIssuer(audience);
      return other.token({ scope: "vm:read", iss: issuer.url });
    },
    "signed with a key that the issuer does not name": ({ token }) => token({ scope: "vm:read" }, { kid: "second" }),
    "that is not signed": ({ url }) =>
      new UnsecuredJWT({ iss: url, aud: audience, sub: "alice", exp: past + 7_200, scope: "vm:read" }).encode(),
    "signed with a secret": ({ url }) =>
      forged({ iss: url, aud: audience, sub: "alice", exp: past + 7_200, scope: "vm:read" }).sign(Buffer.alloc(32)),
  };

  it("is refused unless it is the issuer's, for this server, and for now", async () => {
    const server = await open();
    for (const [what, make] of Object.entries(refused)) {
      const token = await make(server.issuer);
      const { status, headers } = await server.ask("GET", "/api/vms", undefined, { token });
      expect([status, headers.get("www-authenticate")], what).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ]);
    }
    const good = await server.issuer.token({ scope: "vm:read" });
    expect((await server.ask("GET", "/api/vms", undefined, { token: good })).status).toBe(200);
    expect(server.stderr()).not.toContain("defect");
  });

  it("without scopes opens nothing, and of a long or odd name is one of its own", async () => {
    const { issuer, ask } = await open();
    expect((await ask("GET", "/api/vms", undefined, { token: await issuer.token({}) })).body.code).toBe(
      "SCOPE_MISSING",
    );
    const names = ["main", "é/\u0000x", "x".repeat(300)];
    for (const sub of names) {
      const token = await issuer.token({ sub, scope: "vm:write" });
      await ask("POST", "/api/vms", { name: "web", dry_run: true }, { token });
      const { body } = await ask("DELETE", "/api/vms/web", undefined, { token });
      expect(body.details.caller).toMatch(/^oauth\/[\w%.~*'()!-]{1,80}$/);
    }
  });
});
