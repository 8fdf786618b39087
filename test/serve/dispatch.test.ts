import { describe, expect, it } from "vitest";
import { DomainError } from "../../src/domain/error.ts";
import { type Scope, scopes } from "../../src/domain/scope.ts";
import type { AppContext } from "../../src/serve/app-context.ts";
import { Defect, defectOf } from "../../src/serve/defect.ts";
import { type Agreement, dispatcherFor, ownUser, type Principal } from "../../src/serve/dispatch.ts";
import { createInFlightCalls } from "../../src/serve/in-flight-calls.ts";
import { CALLS_MAX } from "../../src/serve/limits.ts";
import { SurfaceError } from "../../src/serve/surface-error.ts";
import { refusalOf } from "../plugin-host/harness.ts";
import { loss, toolsFor } from "./tools-fixture.ts";

class Lacking extends SurfaceError {
  readonly code = "LACKING";
  readonly hint = "";
  readonly details: { scope: Scope; tool: string };
  constructor(scope: Scope, tool: string) {
    super(`it lacks ${scope}`);
    this.details = { scope, tool };
  }
}

function surface(confirm: AppContext["confirm"] = "token") {
  const made = toolsFor(confirm);
  const work = createInFlightCalls();
  const dispatch = dispatcherFor({ appContext: made.session, inFlight: work });
  const call = (
    tool: string,
    args: unknown = {},
    who: Partial<Principal> = {},
    signal: AbortSignal = new AbortController().signal,
  ) => {
    const principal: Principal = {
      actor: "test:somebody",
      scopes,
      lacks: (scope, what) => new Lacking(scope, what),
      agreement: "program",
      ...who,
    };
    return dispatch.call(principal, tool, args, { signal, progress: () => {} });
  };
  return { ...made, work, call };
}

describe("dispatcherFor()", () => {
  it("runs a tool as who calls, and gives back its answer", async () => {
    expect(await surface().call("looks")).toEqual({ actor: "test:somebody" });
  });

  it("refuses a tool that there is not, and arguments that the tool does not take", async () => {
    const { call } = surface();
    expect((await refusalOf(call("look"))).details).toMatchObject({ known: expect.arrayContaining(["looks"]) });
    expect(await refusalOf(call("looks", { colour: "red" }))).toMatchObject({ code: "INPUT_INVALID" });
  });

  describe("authorises", () => {
    const cases: [string, Scope][] = [
      ["looks", "vm:read"],
      ["changes", "vm:write"],
      ["destroys", "vm:destroy"],
    ];
    it.each(cases)("%s by the scope %s alone, with the caller's own refusal", async (tool, scope) => {
      const { call, calls } = surface();
      const others = scopes.filter((other) => other !== scope);
      const refused = await call(tool, {}, { scopes: others }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "LACKING", details: { scope, tool } });
      expect(calls).toEqual([]);
      expect(await call(tool, {}, { scopes: [scope] })).toEqual({ actor: "test:somebody" });
    });

    it("before it counts, so that who may not is told so by a busy server, too", async () => {
      const { call, work } = surface();
      const never = Promise.withResolvers<void>();
      for (let calls = 0; calls < CALLS_MAX; calls++) void work.add(never.promise.then(() => calls));
      await expect(call("looks", {}, { scopes: [] })).rejects.toThrow(Lacking);
      expect(await refusalOf(call("looks"))).toMatchObject({ code: "SERVER_BUSY", details: { calls: CALLS_MAX } });
      never.resolve();
    });
  });

  it("counts a call until it has ended, whatever came of it", async () => {
    const { call, work } = surface();
    const waiting = call("waits");
    expect(work.count()).toBe(1);
    await call("breaks").catch(() => undefined);
    expect(work.count()).toBe(1);
    await call("ends");
    await waiting;
    expect(work.count()).toBe(0);
  });

  describe("has a loss confirmed", () => {
    type Outcome = "the question with its token" | "the question without" | "CONFIRMATION_BY_PERSON" | "done";
    const cases: [AppContext["confirm"], Agreement, readonly Scope[], Outcome][] = [
      ["token", "person", scopes, "the question with its token"],
      ["token", "program", scopes, "the question with its token"],
      ["token", "scope", scopes, "done"],
      ["token", "scope", ["vm:write"], "the question without"],
      ["human", "person", scopes, "the question with its token"],
      ["human", "program", scopes, "CONFIRMATION_BY_PERSON"],
      ["human", "scope", scopes, "CONFIRMATION_BY_PERSON"],
      ["human", "scope", ["vm:write"], "CONFIRMATION_BY_PERSON"],
    ];
    it.each(cases)("under --confirm %s, by a %s with %j: %s", async (confirm, agreement, held, outcome) => {
      const { call } = surface(confirm);
      const calling = call("loses", {}, { agreement, scopes: held });
      if (outcome === "done") {
        expect(await calling).toEqual({ actor: "test:somebody" });
        return;
      }
      const { code, details } = await refusalOf(calling);
      const { vm, losses, confirm: token } = loss;
      if (outcome === "CONFIRMATION_BY_PERSON")
        expect({ code, details }).toEqual({ code: outcome, details: { vm, losses } });
      else
        expect({ code, details }).toEqual({
          code: "CONFIRMATION_REQUIRED",
          details: { ...loss, confirm: outcome === "the question without" ? "" : token },
        });
    });

    it("by the token that was sent back", async () => {
      expect(await surface("human").call("loses", { confirm: loss.confirm })).toEqual({ actor: "test:somebody" });
    });

    it("never by a token that a caller without the scope has from elsewhere", async () => {
      const { call, calls } = surface();
      const who = { agreement: "scope", scopes: ["vm:write"] } as const;
      await expect(call("loses", { confirm: loss.confirm }, who)).rejects.toThrow(Lacking);
      expect(calls).toEqual([]);
    });
  });

  describe("makes a defect", () => {
    it("of what is no refusal, logged once, with the id under which the log has it", async () => {
      const { call, defects, session } = surface();
      const defect = await call("breaks").catch((error: unknown) => error);
      expect(defect).toBeInstanceOf(Defect);
      expect(defect).toMatchObject({ id: "defect-1", cause: expect.any(TypeError) });
      expect((defect as Defect).message).toContain("defect-1");
      expect(defectOf(session, defect)).toBe(defect);
      expect(defects).toHaveLength(1);
    });

    it("of none that a cancelled call ends with", async () => {
      const { call, defects } = surface();
      const ending = new AbortController();
      const waiting = call("waits", {}, {}, ending.signal);
      const reason = new Error("nobody waits any longer");
      ending.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(defects).toEqual([]);
    });
  });

  it("lets the process's own user do everything", async () => {
    const { session } = toolsFor("token");
    const dispatch = dispatcherFor({ appContext: session, inFlight: createInFlightCalls() });
    const call = { signal: new AbortController().signal, progress: () => {} };
    for (const tool of ["looks", "changes", "destroys"])
      expect(await dispatch.call(ownUser("cli", "person"), tool, {}, call)).toEqual({ actor: "cli" });
    await expect(dispatch.call(ownUser("cli", "program"), "loses", {}, call)).rejects.toThrow(DomainError);
  });
});
