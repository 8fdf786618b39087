/** What a plan loses is confirmed: by asking the user, or by a token that the model sends back once the user has agreed. */
// @module-tag process
import { describe, expect, it, onTestFinished } from "vitest";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { type Answer, type Caller, type CallerOptions, generations } from "./callers.ts";

type Options = Omit<CallerOptions, "settings"> & { settings?: readonly string[] };

/** A server with VMs web and mail, both running. */
async function open(generation: keyof typeof generations, { settings = [], ...options }: Options): Promise<Caller> {
  const own = memorySettings(temporaryDirectory(), "installsAfterMs=never");
  const caller = await generations[generation]({ ...options, settings: [...own, ...settings] });
  onTestFinished(() => caller.close());
  for (const name of ["web", "mail"]) {
    await caller.call("create_vm", { name, iso_path: "installer.iso" });
    await caller.call("start_vm", { vm: name });
  }
  return caller;
}
const powerOf = async (caller: Caller, vm = "web") => (await caller.call("get_vm", { vm })).structuredContent?.power;
const cut = { vm: "web", force: true };
const tokenIn = ({ refusal }: Awaited<ReturnType<Caller["call"]>>) => String(refusal?.details.confirm);

describe.each(Object.keys(generations) as (keyof typeof generations)[])("a client of %s", (generation) => {
  it("asks its user what will be lost, and goes ahead when the user accepts", async () => {
    const asked: string[] = [];
    const caller = await open(generation, {
      asked(message) {
        asked.push(message);
        return { action: "accept", content: { confirm: true } };
      },
    });
    expect((await caller.call("stop_vm", cut)).structuredContent).toMatchObject({ changed: true });
    expect(asked).toEqual([expect.stringMatching(/^stop_vm on web loses for good: the running guest's memory/)]);
    expect(await powerOf(caller)).toBe("off");
  });

  const noes: [string, Answer][] = [
    ["declines", { action: "decline" }],
    ["closes the question", { action: "cancel" }],
    ["sends the form with the box empty", { action: "accept", content: { confirm: false } }],
  ];
  it("does nothing when the user declines, closes the question, or leaves the box empty", async () => {
    let answer: Answer = { action: "decline" };
    const caller = await open(generation, { asked: () => answer });
    for (const [what, no] of noes) {
      answer = no;
      const refused = await caller.call("stop_vm", cut);
      expect(refused, what).toMatchObject({ isError: true, refusal: { code: "CONFIRMATION_DECLINED" } });
      expect(await powerOf(caller), what).toBe("running");
    }
  });

  it("without a way to ask gets a token, good once, for this call on this VM in this state", async () => {
    const caller = await open(generation, {});
    const refused = await caller.call("stop_vm", cut);
    expect(refused).toMatchObject({ isError: true, refusal: { code: "CONFIRMATION_REQUIRED" } });
    const confirm = tokenIn(refused);
    expect(refused.text).toContain(confirm);
    const others: [string, Record<string, unknown>][] = [
      ["stop_vm", { ...cut, vm: "mail", confirm }],
      ["stop_vm", { ...cut, timeout_seconds: 5, confirm }],
      ["restart_vm", { ...cut, confirm }],
      ["stop_vm", { ...cut, confirm: `${confirm}0` }],
    ];
    for (const [tool, args] of others) {
      const { refusal } = await caller.call(tool, args);
      expect(refusal?.code, JSON.stringify([tool, args])).toBe("CONFIRMATION_INVALID");
    }
    expect(await powerOf(caller)).toBe("running");
    expect((await caller.call("stop_vm", { ...cut, confirm })).structuredContent).toMatchObject({ changed: true });
    await caller.call("start_vm", { vm: "web" });
    expect((await caller.call("stop_vm", { ...cut, confirm })).refusal?.code).toBe("CONFIRMATION_INVALID");
    expect(await powerOf(caller)).toBe("running");
  });

  it("cannot use a token after the VM was changed in between", async () => {
    const caller = await open(generation, {});
    const confirm = tokenIn(await caller.call("stop_vm", cut));
    await caller.call("set_boot_order", { vm: "web", boot_order: "hd_cdrom" });
    expect((await caller.call("stop_vm", { ...cut, confirm })).refusal?.code).toBe("CONFIRMATION_INVALID");
  });

  it("is refused under --confirm human where no person can be asked, and sees no token", async () => {
    const caller = await open(generation, { settings: ["--confirm", "human"] });
    const refused = await caller.call("stop_vm", cut);
    expect(refused).toMatchObject({ isError: true, refusal: { code: "CONFIRMATION_BY_PERSON" } });
    expect(Object.keys(refused.refusal!.details).sort()).toEqual(["losses", "vm"]);
    expect(JSON.stringify(refused)).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}/);
    expect((await caller.call("stop_vm", { ...cut, confirm: "guess" })).refusal?.code).toBe("CONFIRMATION_INVALID");
    expect(await powerOf(caller)).toBe("running");
  });

  it("that opens links for its user but shows no forms gets the token", async () => {
    const caller = await open(generation, { capabilities: { elicitation: { url: {} } } });
    expect((await caller.call("stop_vm", cut)).refusal?.code).toBe("CONFIRMATION_REQUIRED");
  });
});

it("a loss is confirmed through a client of 2025 that only says that it can elicit", async () => {
  const caller = await open("2025-06-18, first SDK", {
    capabilities: { elicitation: {} },
    asked: () => ({ action: "accept", content: { confirm: true } }),
  });
  expect((await caller.call("stop_vm", cut)).structuredContent).toMatchObject({ changed: true });
});

it("a person is asked under --confirm human through a client that can", async () => {
  const caller = await open("2026-07-28", {
    settings: ["--confirm", "human"],
    asked: () => ({ action: "accept", content: { confirm: true } }),
  });
  expect((await caller.call("stop_vm", cut)).structuredContent).toMatchObject({ changed: true });
});
