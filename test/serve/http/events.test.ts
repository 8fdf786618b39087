/** Server-sent events on a real server, through connections that break. */
// @module-tag process
import { describe, expect, it } from "vitest";
import { DomainError } from "../../../src/domain/error.ts";
import { addToken, removeToken } from "../../../src/serve/http/token.ts";
import { STREAMS_MAX } from "../../../src/serve/limits.ts";
import { type HttpServer, openHttp } from "../../support/http.ts";
import { openHere, sessionOf, TOKEN } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

type Message = Readonly<Record<string, string>> & Readonly<{ data: string }>;

type Stream = Readonly<{
  /** Reads on until there are enough messages, and drops the connection. */
  until: (done: (messages: readonly Message[]) => boolean) => Promise<Message[]>;
}>;

/** Returns once the server has said that it listens: what happens from then on is told. */
async function open(
  { url, token }: HttpServer,
  headers: Readonly<Record<string, string>> = {},
  path = "/api/events",
): Promise<Stream> {
  const dropping = new AbortController();
  const response = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: dropping.signal,
  });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  return {
    async until(done) {
      const messages: Message[] = [];
      let text = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const blocks = text.split("\n\n");
        text = blocks.pop()!;
        messages.push(...blocks.map(messageOf).filter((message): message is Message => message.data !== undefined));
        if (done(messages)) break;
      }
      dropping.abort();
      return messages;
    },
  };
}
const messageOf = (block: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
const isType = (type: string) => (messages: readonly Message[]) =>
  messages.some(({ data }) => JSON.parse(data).type === type);

describe("GET /api/events", () => {
  it("tells what happens as CloudEvents, from now on", async () => {
    const server = await openHttp();
    await server.ask("POST", "/api/vms", { name: "before" });
    const stream = await open(server);
    const { body } = await server.ask("POST", "/api/vms", { name: "web" });
    const [message] = await stream.until(isType("vm.created"));
    expect(JSON.parse(message!.data)).toMatchObject({
      specversion: "1.0",
      type: "vm.created",
      subject: body.vm.uuid,
      source: "bootwright/local",
    });
    expect(message!.id).toMatch(/^\d+$/);
  });

  it("goes on after the last event that was heard, and loses and repeats none, however often it is cut", async () => {
    const server = await openHttp();
    await server.ask("POST", "/api/vms", { name: "web" });
    const orders = ["hd", "cdrom_hd", "cdrom", "hd_cdrom"];
    const changing = (async () => {
      for (let round = 0; round < 40; round++)
        await server.ask("POST", "/api/vms/web/boot-order", { boot_order: orders[round % 4], accept: ["NO_MEDIA"] });
      await server.ask("DELETE", "/api/vms/web?keep_files=true").then(async ({ body }) => {
        if (body.code === "CONFIRMATION_REQUIRED")
          await server.ask("DELETE", `/api/vms/web?keep_files=true&confirm=${body.details.confirm}`);
      });
    })();
    const heard: Message[] = [];
    const isEnough = (messages: readonly Message[]) => messages.length >= 3 || isType("vm.deleted")(messages);
    for (let last = "0"; !isType("vm.deleted")(heard); last = heard.at(-1)!.id!)
      heard.push(...(await (await open(server, { "last-event-id": last })).until(isEnough)));
    await changing;
    const { body } = await server.ask("GET", "/api/events/history?limit=500");
    expect(heard.map(({ data }) => JSON.parse(data).id)).toEqual(
      body.events.map(({ id }: { id: string }) => id).reverse(),
    );
    expect(heard.length).toBeGreaterThan(40);
  });

  it("says when what is asked for is another journal's", async () => {
    const server = await openHttp();
    const stream = await open(server, {}, "/api/events?after=999");
    const [first] = await stream.until((messages) => messages.length > 0);
    expect(first).toMatchObject({ event: "lost", data: JSON.stringify({ after: 999, place: 0 }) });
    expect((await server.ask("GET", "/api/events?after=x")).status).toBe(400);
  });

  it("says that it is still there, and ends when its token is taken back", async () => {
    const made = await world();
    const token = addToken(made.directory, "reader", ["vm:read"], new Date());
    const { url } = await openHere(made, { heartbeatMs: 50 });
    const response = await fetch(`${url}/api/events`, { headers: { authorization: `Bearer ${token}` } });
    let text = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      if (text === "") removeToken(made.directory, "reader");
      text += chunk;
    }
    expect(text).toMatch(/^retry: 2000\n\n(?:: \n\n)+$/);
  });

  it("ends with the server", async () => {
    const server = await openHttp();
    const stream = await open(server);
    server.process.kill("SIGTERM");
    expect(await stream.until(() => false)).toEqual([]);
    expect(await server.ended).toBe(0);
  });
});

describe("streams", () => {
  it("are 200 and no more, however many are asked for at once, and one that has ended makes room", async () => {
    const made = await world();
    const { services } = sessionOf(made);
    let [isLocked, waiting, refused] = [true, 0, 0];
    const opening = Promise.withResolvers<void>();
    const store = async () => {
      if (isLocked) throw new DomainError("STORE_LOCKED", { path: "here" });
      waiting += 1;
      await opening.promise;
      return made.store;
    };
    const { url, ask } = await openHere(made, {}, { services: { ...services, store } });
    // What could not begin takes no room.
    for (let count = 0; count < STREAMS_MAX; count += 1) expect((await ask("GET", "/api/events")).status).toBe(503);
    isLocked = false;
    const dropping = Array.from({ length: STREAMS_MAX + 10 }, () => new AbortController());
    const headers = { authorization: `Bearer ${TOKEN}` };
    const asking = dropping.map(async ({ signal }) => {
      const answer = await fetch(`${url}/api/events`, { headers, signal });
      if (answer.status === 503) refused += 1;
      return answer;
    });
    await expect.poll(() => waiting + refused).toBe(dropping.length);
    opening.resolve();
    const answers = await Promise.all(asking);
    const isOpen = ({ status }: { status: number }) => status === 200;
    expect(answers.filter(isOpen)).toHaveLength(STREAMS_MAX);
    for (const answer of answers.filter((one) => !isOpen(one)))
      expect((await answer.json()).code).toBe("STREAMS_EXHAUSTED");
    dropping[answers.findIndex(isOpen)]!.abort();
    const again = async () => {
      const { status, body } = await fetch(`${url}/api/events`, { headers });
      await body!.cancel();
      return status;
    };
    await expect.poll(again).toBe(200);
  });
});

describe("readers", () => {
  it("200 at once are all answered while operations run", async () => {
    const server = await openHttp();
    for (let index = 0; index < 5; index++) await server.ask("POST", "/api/vms", { name: `vm-${index}` });
    let changes = 0;
    const ending = new AbortController();
    const changing = (async () => {
      while (!ending.signal.aborted) {
        const boot_order = changes % 2 ? "hd" : "cdrom_hd";
        const { status } = await server.ask("POST", `/api/vms/vm-${changes % 5}/boot-order`, { boot_order });
        expect([200, 429]).toContain(status);
        changes += 1;
      }
    })();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => server.ask("GET", index % 2 ? "/api/vms" : `/api/vms/vm-${index % 5}`)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(200).fill(200));
    ending.abort();
    await changing;
    expect(changes).toBeGreaterThan(0);
  });
});
