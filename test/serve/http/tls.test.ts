// @module-tag process
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { openHere, TOKEN } from "../../support/http-here.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import { world } from "../../support/world.ts";
import { run } from "../process.ts";

async function certificate(): Promise<{ cert: string; key: string }> {
  const directory = temporaryDirectory();
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await execa("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert]);
  return { cert, key };
}

type Answer = Readonly<{ status: number; headers: Readonly<Record<string, string | string[] | undefined>> }>;
const ask = (url: string, ca: string, method: string, headers: Record<string, string>, body = "") =>
  new Promise<Answer>((resolve, reject) => {
    const sent = request(url, { ca, method, headers }, (response) => {
      response.resume().on("end", () => resolve({ status: response.statusCode!, headers: response.headers }));
    });
    sent.on("error", reject).end(body);
  });

describe("with a certificate and its key", () => {
  it("serves HTTPS, and cookies that go over it alone", async () => {
    const tls = await certificate();
    const server = await openHere(await world(), { tls });
    expect(server.url).toMatch(/^https:/);
    const ca = readFileSync(tls.cert, "utf8");
    const seen = await ask(`${server.url}/api/vms`, ca, "GET", { authorization: `Bearer ${TOKEN}` });
    expect(seen.status).toBe(200);
    expect(seen.headers["strict-transport-security"]).toBe("max-age=31536000");
    const json = { "content-type": "application/json", origin: server.url };
    const login = await ask(`${server.url}/login`, ca, "POST", json, JSON.stringify({ token: TOKEN }));
    expect([login.status, login.headers["set-cookie"]?.[0]]).toEqual([
      204,
      expect.stringMatching(/^__Host-bootwright-\d+=[\w-]{43};.*HttpOnly; Secure; SameSite=Strict$/),
    ]);
    const cookie = login.headers["set-cookie"]![0]!.split(";")[0]!;
    expect((await ask(`${server.url}/api/vms`, ca, "GET", { cookie })).status).toBe(200);
    const plain = { cookie, origin: server.url.replace("https", "http") };
    expect((await ask(`${server.url}/api/vms`, ca, "GET", plain)).status).toBe(403);
  });

  it("knows whose connection it is, and lets strangers have their share alone", async () => {
    const tls = await certificate();
    const server = await openHere(await world(), { tls, limits: { connections: 6, unauthenticated: 2 } });
    const ca = readFileSync(tls.cert, "utf8");
    const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const headers = { authorization: `Bearer ${TOKEN}` };
    const ask = async () => {
      const sent = request(`${server.url}/api/vms`, { agent, headers }).end();
      const [response] = await once(sent, "response");
      await once(response.resume(), "end");
      return [response.statusCode, sent.reusedSocket];
    };
    expect(await ask()).toEqual([200, false]);
    for (let count = 0; count < 10; count += 1) {
      // No handshake comes of it.
      const silent = connect(Number(new URL(server.url).port), "127.0.0.1").on("error", () => undefined);
      onTestFinished(() => void silent.destroy());
      await once(silent, "connect");
    }
    expect(await ask()).toEqual([200, true]);
  });

  it("does not start without what it was given", async () => {
    const { cert, key } = await certificate();
    const settings = ["--data", temporaryDirectory(), "--connection", "local=memory", "--listen", "0"];
    for (const [one, other] of [
      [cert, "/nowhere.pem"],
      ["/nowhere.pem", key],
      [key, cert],
    ]) {
      const { code, stderr } = await run([...settings, "--tls-cert", one!, "--tls-key", other!, "serve"]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/cannot serve on 127.0.0.1:0: /)]);
    }
  });
});
