/** Goal: a row of the table is all that a method needs to be called as it should. Method: ports that this program does not
 * have, bound by tables of their own. */
import { describe, expect, it } from "vitest";
import type { IndexFeed } from "../../src/domain/engine/image-index.ts";
import type { ApplyContext } from "../../src/domain/ports/apply-context.ts";

import type { Hint } from "../../src/domain/ports/backend-groups.ts";
import type { Calls } from "../../src/plugin-host/backend-calls.ts";
import { bindCalls } from "../../src/plugin-host/bind-calls.ts";
import { refused } from "../domain/fixture.ts";

interface Snapshots {
  count(): number;
  list(uuid: string, signal?: AbortSignal): Promise<readonly string[]>;
  all(signal?: AbortSignal): Promise<string>;
  revert(uuid: string, name: string, context: ApplyContext): Promise<void>;
  watch(sendHint: (hint: Hint) => void, signal: AbortSignal): Promise<void>;
}

const calls: Calls<Snapshots> = {
  count: { call: "local" },
  list: {
    call: "read",
    as: "list snapshots",
    takes: "short",
    signalAt: 1,
    updateIndex: (index, _names, begun, uuid) => index.observed(uuid, undefined, begun),
  },
  all: { call: "read", as: "list all snapshots", takes: "long", signalAt: 0, shared: true },
  revert: { call: "write", as: "revert", touches: (uuid) => uuid },
  watch: { call: "watch", as: "watch" },
};

/** The port, and what its methods and the index were given, in order. */
function open(answer: (name: string, given: readonly unknown[]) => unknown) {
  const heard: unknown[] = [];
  const index: IndexFeed = {
    now: () => 7,
    listed: () => undefined,
    observed: (...given) => void heard.push(["observed", ...given]),
    touched: (uuid) => void heard.push(["touched", uuid]),
    watching: () => ({ hinted: (hint) => void heard.push(["hinted", hint]), ended: () => void heard.push(["ended"]) }),
  };
  const port = bindCalls({ connection: "local", limits: { short: 50, long: 50 }, index }, calls, (name, given) => {
    heard.push([name, ...given]);
    return answer(name, given);
  });
  return { port, heard };
}
const context: ApplyContext = { signal: new AbortController().signal, progress: () => undefined };
const aSignal = expect.any(AbortSignal);

describe("bindCalls()", () => {
  it("gives a look a signal of its own where the table says, whether its caller has one or not", async () => {
    const { port, heard } = open(() => Promise.resolve(["one"]));
    const { signal } = new AbortController();
    expect(await port.list("a")).toEqual(["one"]);
    expect(await port.list("a", signal)).toEqual(["one"]);
    const observation = ["observed", "a", undefined, 7];
    expect(heard).toEqual([["list", "a", aSignal], observation, ["list", "a", aSignal], observation]);
    expect((heard[2] as unknown[])[2]).not.toBe(signal);
  });

  it("ends a look with its caller and with its time, and tells the index nothing of it", async () => {
    const { port, heard } = open((_name, given) => {
      const signal = given.at(-1) as AbortSignal;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const late = await refused("BACKEND_UNAVAILABLE", port.list("a"));
    expect(late.details).toEqual({ connection: "local", reason: "list snapshots: no answer within 0.05 s" });
    const own = new AbortController();
    const left = port.list("a", own.signal);
    own.abort(new Error("gone home"));
    expect((await refused("BACKEND_FAILED", left)).details.reason).toBe("gone home");
    expect(heard.map((one) => (one as unknown[])[0])).toEqual(["list", "list"]);
  });

  it("makes one look for all who ask at the same time, where it is shared", async () => {
    const { port, heard } = open(() => Promise.resolve("all"));
    expect(await Promise.all([port.all(), port.all(), port.all()])).toEqual(["all", "all", "all"]);
    expect(heard).toEqual([["all", aSignal]]);
  });

  it("gives a write what it was given, and has the index look again however it ends", async () => {
    const { port, heard } = open(() => {
      throw new Error("the disk is full");
    });
    const failed = await refused("BACKEND_FAILED", port.revert("a", "clean", context));
    expect(failed.details).toEqual({ connection: "local", change: "revert", reason: "the disk is full" });
    expect(heard).toEqual([
      ["revert", "a", "clean", context],
      ["touched", "a"],
    ]);
  });

  it("has the index hear what a watch tells, before its caller does", async () => {
    const { port, heard } = open(async (_name, [sendHint]) => (sendHint as (hint: Hint) => void)({ uuid: "a" }));
    await port.watch((hint) => void heard.push(["heard", hint]), context.signal);
    expect(heard.slice(1)).toEqual([["hinted", { uuid: "a" }], ["heard", { uuid: "a" }], ["ended"]]);
  });

  it("asks at once where nobody has to be waited for", () => {
    expect(open(() => 3).port.count()).toBe(3);
  });
});
