// Goal: what the webhook plugin sends is signed as Standard Webhooks says, and nothing that a receiver does makes an event
// count as taken that was not, or tells a secret. Method: the plugin's own functions against a real HTTP server that
// fails, hangs, redirects and hangs up; signatures are verified by the specification's own library. What it cannot see:
// the host's retries.

import { randomBytes } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import plugin from "../../plugins/webhook/index.ts";
import { eventTypes } from "../../src/plugin.ts";
import { temporaryDirectory } from "../support/memory.ts";
import { anEvent, openPlugin } from "../support/plugin-function.ts";

type Got = { headers: Record<string, string>; body: string; path: string; method: string };
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

/** A receiver that answers the first request with the first answer, and every further one with the last. */
async function receiver(...answers: Answer[]): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    got.push({
      headers: request.headers as Record<string, string>,
      body,
      path: request.url!,
      method: request.method!,
    });
    answers[Math.min(got.length, answers.length) - 1]!(response, request);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got };
}
const says =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, headers).end("some text");

function secretFile(...secrets: string[]): string {
  const path = join(temporaryDirectory(), "secret");
  writeFileSync(path, `${secrets.join("\n")}\n`, { mode: 0o600 });
  return path;
}

async function opened(url: string, settings: Record<string, string> = {}, secret = newSecret()) {
  const hook = await openPlugin(plugin, { url, "secret-file": secretFile(secret), ...settings });
  onTestFinished(hook.close);
  return hook;
}

describe("an event", () => {
  test("is posted as a CloudEvent, and the specification's own library verifies it", async () => {
    const { url, got } = await receiver(says(204));
    const secret = newSecret();
    const event = anEvent("installation.completed");
    await (await opened(`${url}/hook`, {}, secret)).deliver(event);
    const { headers, body, path, method } = got[0]!;
    expect({ method, path }).toEqual({ method: "POST", path: "/hook" });
    expect(headers["content-type"]).toMatch(/^application\/cloudevents\+json/);
    expect(headers["webhook-id"]).toBe(event.id);
    expect(new Webhook(secret).verify(body, headers)).toEqual(event);
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow("No matching signature");
    expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow("No matching signature");
  });

  test("is signed with every secret in the file, so that a receiver can go from one to the next", async () => {
    const { url, got } = await receiver(says(200));
    const secrets = [newSecret(), newSecret()];
    const hook = await openPlugin(plugin, { url, "secret-file": secretFile(...secrets) });
    await hook.deliver(anEvent());
    for (const secret of secrets) new Webhook(secret).verify(got[0]!.body, got[0]!.headers);
  });

  test.each(eventTypes)("of type %s has a function", (type) => {
    expect(plugin.on![type]).toBeTypeOf("function");
  });

  test("goes out only where types and vms ask for it", async () => {
    const { url, got } = await receiver(says(200));
    const event = anEvent("installation.failed");
    const hook = await opened(url, { types: "installation.* vm.crashed", vms: event.subject.toUpperCase() });
    await hook.deliver(anEvent("media.attached"));
    await hook.deliver(anEvent("vm.crashed", { subject: "0a6b7f52-1111-4222-8333-444455559999" }));
    expect(got).toEqual([]);
    await hook.deliver(event);
    await hook.deliver(anEvent("vm.crashed"));
    expect(got.map(({ body }) => JSON.parse(body).type)).toEqual(["installation.failed", "vm.crashed"]);
  });

  test("that one of two receivers refuses is sent again to that one alone", async () => {
    const [good, bad] = [await receiver(says(200)), await receiver(says(500), says(200))];
    const hook = await opened(`${good.url} ${bad.url}`);
    const event = anEvent();
    await expect(hook.deliver(event)).rejects.toThrow("answered 500");
    await hook.deliver(event);
    expect([good.got.length, bad.got.length]).toEqual([1, 2]);
    expect(bad.got[0]!.body).toBe(bad.got[1]!.body);
    expect(bad.got[0]!.headers["webhook-id"]).toBe(bad.got[1]!.headers["webhook-id"]);
  });
});

describe("a receiver that", () => {
  test.each([400, 401, 404, 500, 502])("answers %i has not taken the event", async (status) => {
    const { url } = await receiver(says(status));
    await expect((await opened(url)).deliver(anEvent())).rejects.toThrow(`answered ${status}`);
  });

  test.each([301, 302, 303, 307, 308])("redirects with %i is not followed, and that is told", async (status) => {
    const other = await receiver(says(200));
    const { url } = await receiver(says(status, { location: `${other.url}/elsewhere` }));
    await expect((await opened(url)).deliver(anEvent())).rejects.toThrow("redirect, which is not followed");
    expect(other.got).toEqual([]);
  });

  test("hangs is given up after the time limit", async () => {
    const { url, got } = await receiver(() => {});
    await expect((await opened(url, { "timeout-seconds": "1" })).deliver(anEvent())).rejects.toThrow("within 1 s");
    expect(got).toHaveLength(1);
  });

  test("hangs is given up when the function's own time is up", async () => {
    const { url } = await receiver(() => ending.abort(new Error("time is up")));
    const ending = new AbortController();
    await expect((await opened(url)).deliver(anEvent(), ending.signal)).rejects.toThrow("time is up");
  });

  test("answers slowly, but in time, has taken it, and not before", async () => {
    const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
    const { url, got } = await receiver(resolve);
    const hook = await opened(url);
    let taken = false;
    const delivering = hook.deliver(anEvent()).then(() => {
      taken = true;
    });
    const response = await asked;
    await new Promise((turn) => setImmediate(turn));
    expect(taken).toBe(false);
    response.writeHead(202).end();
    await delivering;
    expect([taken, got.length, hook.lines]).toEqual([true, 1, []]);
  });

  test("never ends its answer is not listened to", async () => {
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const { url, got } = await receiver((response) => {
      response.once("close", leave);
      response.writeHead(200);
      const flood = () =>
        void (response.write("x".repeat(65_536)) ? setImmediate(flood) : response.once("drain", flood));
      flood();
    });
    const hook = await opened(url);
    await hook.deliver(anEvent());
    // The connection is given up, not read to an end that never comes.
    await left;
    expect([got.length, hook.lines]).toEqual([1, []]);
  });

  test("hangs up has not taken it, and neither has one that is not there", async () => {
    const { url } = await receiver((response) => response.destroy());
    await expect((await opened(url)).deliver(anEvent())).rejects.toThrow("cannot be reached, or hung up");
    await expect((await opened("http://127.0.0.1:9/")).deliver(anEvent())).rejects.toThrow(
      "127.0.0.1:9 cannot be reached",
    );
  });

  test("is gone is sent nothing more", async () => {
    const { url, got } = await receiver(says(410));
    const hook = await opened(url);
    await hook.deliver(anEvent());
    await hook.deliver(anEvent());
    expect(got).toHaveLength(1);
    expect(hook.lines).toEqual([expect.stringContaining("410 Gone")]);
  });

  test.each([
    ["seconds", () => "3600"],
    ["a date", () => new Date(Date.now() + 3_600_000).toUTCString()],
  ])("asks for a pause in %s is left alone", async (_how, until) => {
    const { url, got } = await receiver((response, request) =>
      says(429, { "retry-after": until() })(response, request),
    );
    const hook = await opened(url);
    await expect(hook.deliver(anEvent())).rejects.toThrow("answered 429");
    await expect(hook.deliver(anEvent())).rejects.toThrow("requested a pause until");
    expect(got).toHaveLength(1);
  });

  test("asks for a short pause is waited for", async () => {
    const { url, got } = await receiver(says(503, { "retry-after": "1" }), says(200));
    const hook = await opened(url);
    const event = anEvent();
    await expect(hook.deliver(event)).rejects.toThrow("answered 503");
    const began = performance.now();
    await hook.deliver(event);
    expect(got).toHaveLength(2);
    expect(performance.now() - began).toBeGreaterThan(500);
  });
});

describe("a secret", () => {
  test("stands in no error and no line, and neither does a URL's path", async () => {
    const secret = newSecret();
    for (const answer of [says(500), says(302, { location: "/x" }), says(410), ((r) => r.destroy()) as Answer]) {
      const { url } = await receiver(answer);
      const hook = await opened(`${url}/path-secret?token=query-secret`, {}, secret);
      const error = await hook.deliver(anEvent()).catch((thrown: Error) => thrown);
      const shown = [String(error), error?.stack, String(error?.cause), ...hook.lines].join("\n");
      for (const secretText of [secret, secret.slice(6), "path-secret", "query-secret"])
        expect(shown).not.toContain(secretText);
    }
  });

  test.each([
    ["empty", ""],
    ["without its prefix", "dGhpcyBpcyBhIHNlY3JldCB0aGF0IGlzIGxvbmc="],
    ["too short", "whsec_c2hvcnQ="],
    ["no base64", `whsec_${"!".repeat(48)}`],
  ])("that is %s is refused without being shown", async (_what, text) => {
    const path = secretFile(text);
    const error = await openPlugin(plugin, { url: "http://localhost/", "secret-file": path }).catch((e: Error) => e);
    expect(String(error)).toContain(`Cannot use secret-file ${path}: `);
    if (text) expect(String(error)).not.toContain(text);
  });

  test("in a file that everybody can read is told", async () => {
    const path = secretFile(newSecret());
    chmodSync(path, 0o644);
    const { lines } = await openPlugin(plugin, { url: "http://localhost/", "secret-file": path });
    expect(lines).toEqual([expect.stringContaining("chmod 600")]);
  });
});

describe("settings", () => {
  test.each([
    ["no URL", { url: " " }, "expected a URL"],
    ["another protocol", { url: "https://a.example ftp://b.example/" }, "URL 2 is no http or https URL"],
    ["a password", { url: "https://me:hidden@a.example" }, "URL 1 has a user name in it"],
    ["an unknown type", { types: "installation.compleated" }, "no event is installation.compleated"],
    ["no UUID", { vms: "web" }, "UUID"],
    ["no limit", { "timeout-seconds": "0" }, ">=1"],
  ])("with %s are refused", (_what, wrong, message) => {
    const parsed = plugin.config.safeParse({ url: "http://localhost/", "secret-file": "/s", ...wrong });
    expect(JSON.stringify(parsed.error?.issues)).toContain(message);
    expect(JSON.stringify(parsed.error?.issues)).not.toContain("hidden");
  });
});
