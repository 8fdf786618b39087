// @module-tag process
import { describe, expect, it } from "vitest";
import { acts, event, open, pluginFile, refusalOf } from "./harness.ts";

const plugin = (config: Record<string, unknown> = {}) => ({ plugin: acts, config });
const statusOf = async (host: Awaited<ReturnType<typeof open>>) => (await host.list())[0]!;

describe("an event function", () => {
  it("is told of its events in a worker, with the session that was opened once", async () => {
    const host = await open([plugin({ greeting: "moin" })]);
    expect(host.subscriber()).toMatchObject({ name: "acts", types: ["vm.started"] });
    expect(host.lines).toEqual([]);
    await host.deliver({});
    await host.deliver({});
    expect(host.lines.filter((line) => line.includes("opened"))).toEqual(["acts: moin, opened"]);
    expect(host.lines.at(-1)).toMatch(/handled op-\d+:0 2$/);
    expect(await statusOf(host)).toMatchObject({
      state: "idle",
      calls: 2,
      failures: 0,
      plugin: "acts",
      limitMs: 2_000,
    });
  });

  it("that never ends is ended within its limit, and a fresh worker is told of the next event", async () => {
    const host = await open([plugin()]);
    const error = await refusalOf(host.deliver({ act: "loop" }));
    expect(error).toMatchObject({
      code: "PLUGIN_TIMED_OUT",
      details: { plugin: "acts", what: "vm.started", limitMs: 2_000 },
    });
    expect(await statusOf(host)).toMatchObject({ state: "failing", lastError: expect.stringContaining("2 s") });
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/handled op-\d+:0 1$/);
    expect(await statusOf(host)).toMatchObject({ state: "idle", calls: 2, failures: 1 });
  });

  it("that waits for ever is ended as well, unless it heeds its signal", async () => {
    const host = await open([plugin()]);
    expect(await refusalOf(host.deliver({ act: "heed" }))).toMatchObject({ code: "PLUGIN_TIMED_OUT" });
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/ 2$/);
    expect(await refusalOf(host.deliver({ act: "hang" }))).toMatchObject({ code: "PLUGIN_TIMED_OUT" });
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/ 1$/);
  });

  it("fails the delivery with what it throws, and goes on in the same worker", async () => {
    const host = await open([plugin()]);
    const error = await refusalOf(host.deliver({ act: "throw" }));
    expect(error).toMatchObject({ code: "PLUGIN_FAILED", details: { reason: "out of order", what: "vm.started" } });
    expect(host.lines.join("\n")).toMatch(/Error: out of order\n\s+at vm.started .*acts.ts/);
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/ 2$/);
  });

  it.each([
    ["exit", /ended with code 3/],
    ["crash", /nobody waits for this/],
    ["unsendable", /could not be cloned/],
  ])("that does %s fails the delivery alone", async (act, reason) => {
    const host = await open([plugin()]);
    expect(await refusalOf(host.deliver({ act }))).toMatchObject({
      code: "PLUGIN_FAILED",
      message: expect.stringMatching(reason),
    });
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/handled/);
  });

  it("that takes memory without end is ended, and the server is not", async () => {
    const hog = pluginFile(
      `import { definePlugin } from "%API%";
       const kept = [];
       export default definePlugin({
         manifest: { name: "hog", api: 1, summary: "Takes memory", limitMs: 60_000 },
         on: { "vm.started": () => { for (;;) kept.push(new Array(100_000).fill(kept.length)); } },
       });`,
    );
    const host = await open([{ plugin: hog, config: {} }]);
    expect(await refusalOf(host.deliver({}))).toMatchObject({
      code: "PLUGIN_FAILED",
      message: expect.stringContaining("memory limit"),
    });
  });

  it("prints to the host's log and never to stdout", async () => {
    const host = await open([plugin()]);
    await host.deliver({ act: "print" });
    await Promise.all([host.said("printed by console"), host.said("printed by process")]);
    expect(host.lines).toContain("acts: printed by process");
  });

  it("sees no environment", async () => {
    const host = await open([plugin()]);
    await host.deliver({ act: "env" });
    expect(host.lines).toContain("acts: env {}");
  });

  it("is told of one event at a time, in their order", async () => {
    const host = await open([plugin()]);
    const ids = ["a", "b", "c"];
    await Promise.all(
      ids.map((id, at) =>
        host.subscriber().deliver(event(at === 0 ? { act: "sleep" } : {}, { id }), new AbortController().signal),
      ),
    );
    expect(host.lines.filter((line) => line.includes("handled"))).toEqual([
      "acts: handled a 1",
      "acts: handled b 2",
      "acts: handled c 3",
    ]);
  });

  it("delays no other plugin, whatever it does", async () => {
    const host = await open([plugin(), { ...plugin(), name: "other" }]);
    await Promise.all([host.deliver({}, "acts"), host.deliver({}, "other")]);
    const looping = refusalOf(host.deliver({ act: "loop" }, "acts"));
    await host.deliver({}, "other");
    expect((await host.list()).map(({ name, state }) => [name, state])).toEqual([
      ["acts", "running"],
      ["other", "idle"],
    ]);
    await looping;
  });

  it("ends when the delivery is given up", async () => {
    const host = await open([plugin()]);
    await host.deliver({});
    const giving = new AbortController();
    const delivery = host.subscriber().deliver(event({ act: "heed" }), giving.signal);
    giving.abort(new Error("Bootwright is closing"));
    await expect(delivery).rejects.toThrow("Bootwright is closing");
    await host.deliver({});
    expect(host.lines.at(-1)).toMatch(/handled/);
  });
});

describe("a session", () => {
  it("that cannot be opened fails the delivery, and is tried again at the next", async () => {
    const host = await open([plugin({ greeting: "no" })]);
    expect(await refusalOf(host.deliver({}))).toMatchObject({
      code: "PLUGIN_FAILED",
      details: { what: "open", reason: "no greeting" },
    });
    expect(await statusOf(host)).toMatchObject({ state: "cannot_open", failures: 1 });
    expect(await refusalOf(host.deliver({}))).toMatchObject({ details: { what: "open" } });
    expect(await statusOf(host)).toMatchObject({ calls: 2, failures: 2 });
  });

  it("that hangs as it is opened is given up", async () => {
    const host = await open([plugin({ openMs: "60000" })], { limits: { openMs: 8_000 } });
    expect(await refusalOf(host.deliver({}))).toMatchObject({ code: "PLUGIN_TIMED_OUT", details: { what: "open" } });
    expect(await statusOf(host)).toMatchObject({ state: "cannot_open" });
  });

  it("is closed with the host, the last first, and after a while without calls", async () => {
    const closing = (name: string, ms: number) =>
      pluginFile(
        `import { definePlugin } from "%API%";
         export default definePlugin({
           manifest: { name: "${name}", api: 1, summary: "Closes" },
           open: async (config, { log }) => log,
           close: async (log) => { log("closing"); await new Promise((r) => setTimeout(r, ${ms})); log("closed"); },
           on: { "vm.started": () => undefined },
         });`,
      );
    const host = await open(
      [
        { plugin: closing("first", 0), config: {} },
        { plugin: closing("hangs", 60_000), config: {} },
        { plugin: closing("last", 100), config: {} },
      ],
      { limits: { closeMs: 2_000 } },
    );
    for (const name of ["first", "hangs", "last"]) await host.deliver({}, name);
    await host.close();
    expect(host.lines).toEqual([
      "last: closing",
      "last: closed",
      "hangs: closing",
      'hangs: Plugin "hangs" was terminated: "close" took longer than 2 s',
      "first: closing",
      "first: closed",
    ]);
    expect(await refusalOf(host.deliver({}, "first"))).toMatchObject({ message: expect.stringContaining("closing") });
    const quiet = await open([plugin()], { limits: { idleMs: 100 } });
    await quiet.deliver({});
    await quiet.said("closed");
    await quiet.deliver({});
    expect(quiet.lines.at(-1)).toMatch(/ 1$/);
  });
});
