/** How a browser gets in, and that nobody else does by its cookie. */
// @module-tag process
import { describe, expect, it } from "vitest";
import { loginsFor } from "../../../src/serve/http/login.ts";
import { type HttpServer, openHttp } from "../../support/http.ts";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

describe("the login link", () => {
  const login = (server: Pick<HttpServer, "ask" | "url">, body: object) =>
    server.ask("POST", "/login", body, { token: null, headers: { origin: server.url } });
  const cookieIn = ({ headers }: { headers: Headers }) => headers.get("set-cookie")!.split(";")[0]!;
  const ticketIn = (link: string) => new URL(link).hash.slice(1);

  it("gets a browser in once, with a cookie that scripts cannot read", async () => {
    const server = await openHttp();
    const ticket = ticketIn(server.login);
    const first = await login(server, { ticket });
    expect(first.status).toBe(204);
    expect(first.headers.get("set-cookie")).toMatch(/HttpOnly; SameSite=Strict$/);
    const cookie = cookieIn(first);
    const asked = (headers: object) =>
      server.ask("GET", "/api/vms", undefined, { token: null, headers: { cookie, ...headers } });
    expect((await asked({})).status).toBe(200);
    expect(await login(server, { ticket })).toMatchObject({ status: 401, body: { code: "TICKET_INVALID" } });
    for (const wrong of [{}, { ticket: "x" }, { token: "x" }, { ticket: 7 }, { token: ticket }])
      expect((await login(server, wrong)).status).toBe(401);
    await server.ask("POST", "/logout", undefined, { token: null, headers: { cookie, origin: server.url } });
    expect((await asked({})).status).toBe(401);
  });

  it("is over after ten minutes", async () => {
    let at = 0;
    const caller = { name: "main", scopes: [], person: false };
    const logins = loginsFor(
      "t",
      (token) => (token === "t" ? caller : undefined),
      () => at,
    );
    const [early, late] = [logins.ticket(), logins.ticket()];
    at = 10 * 60_000 - 1;
    const session = logins.open({ ticket: early })!;
    expect(logins.caller(session)).toEqual({ ...caller, person: true });
    at += 1;
    expect(logins.open({ ticket: late })).toBeUndefined();
    at += 12 * 3_600_000;
    expect(logins.caller(session)).toBeUndefined();
  });

  it("gives a cookie that no other page can use", async () => {
    const server = await openHere(await world());
    const cookie = cookieIn(await login(server, { token: TOKEN }));
    const status = async (method: string, headers: Record<string, string>) =>
      (
        await server.ask(method, "/api/vms", method === "POST" ? { name: "web", dry_run: true } : undefined, {
          token: null,
          headers: { cookie, ...headers },
        })
      ).status;
    const site = (name: string) => ({ "sec-fetch-site": name });
    expect(await status("GET", site("same-origin"))).toBe(200);
    expect(await status("GET", site("none"))).toBe(200);
    expect(await status("POST", { ...site("same-origin"), origin: server.url })).toBe(200);
    expect(await status("POST", { origin: server.url })).toBe(200);
    for (const headers of [
      site("cross-site"),
      site("same-site"),
      { ...site("cross-site"), origin: server.url },
      { origin: "http://evil.example" },
    ]) {
      expect(await status("GET", headers)).toBe(403);
      expect(await status("POST", headers)).toBe(403);
    }
    expect(await status("POST", site("none"))).toBe(403);
    expect(await status("POST", {})).toBe(403);
  });

  it("leads a browser without a cookie to the login page, and nothing else there", async () => {
    const server = await openHere(await world());
    const html = { token: null, headers: { accept: "text/html" } };
    const sent = await server.ask("GET", "/", undefined, html);
    expect([sent.status, sent.headers.get("location")]).toEqual([303, "/login"]);
    const page = await server.ask("GET", "/login", undefined, html);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect(page.body).not.toMatch(/<script>|<style|\son\w+=/);
    expect((await server.ask("GET", "/api/vms", undefined, html)).status).toBe(401);
  });

  it("has its page in Korean for who would rather read that than English", async () => {
    const server = await openHere(await world());
    const asked = async (language: string) => {
      const headers = { accept: "text/html", ...(language && { "accept-language": language }) };
      const page = await server.ask("GET", "/login", undefined, { token: null, headers });
      expect(page.headers.get("vary")).toMatch(/accept-language/i);
      expect(page.body).not.toMatch(/<script>|<style|\son\w+=/);
      return /<html lang="(\w+)">/.exec(page.body)![1];
    };
    for (const korean of ["ko", "ko-KR,ko;q=0.9,en;q=0.8", "en;q=0.3, ko;q=0.7", "fr, KO-kr;q=0.5"])
      expect(await asked(korean), korean).toBe("ko");
    for (const other of ["", "en-GB,en,ko;q=0.4", "kok", "fr", "ko;q=0", "*", ";;q=,"])
      expect(await asked(other), other).toBe("en");
  });

  it("is a person's, who may be asked where a program may not", async () => {
    const made = await world({ config: { installsAfterMs: "never" } });
    const server = await openHere(made, {}, { confirm: "human" });
    await server.ask("POST", "/api/vms", { name: "web" });
    const cookie = cookieIn(await login(server, { ticket: ticketIn(server.loginLink()) }));
    const asPerson = { token: null, headers: { cookie, origin: server.url } };
    expect((await server.ask("DELETE", "/api/vms/web")).body.code).toBe("CONFIRMATION_BY_PERSON");
    expect((await server.ask("DELETE", "/api/vms/web", undefined, asPerson)).body.code).toBe("CONFIRMATION_REQUIRED");
  });
});
