import { describe, expect, test } from "vitest";
import { Evidence, plainText, suggestionChanges } from "../../../src/domain/changes/suggestion.ts";
import { decide } from "../../../src/domain/engine/plan.ts";
import { suggestionFindings } from "../../../src/domain/model/suggestion-findings.ts";
import { AT, able, definition, record, refusal, running, state, target, vm } from "../fixture.ts";

const suggest = suggestionChanges["installation.suggest"];
const change = { kind: "installation.suggest", evidence: "the disk has a boot record", by: "watch", at: AT } as const;
const currentRun = { run: "run-1", device: "cdrom", purpose: "install", startedAt: AT } as const;
const installing = (more: Parameters<typeof record>[0] = {}) =>
  state({ vm: running(definition()), record: record({ status: "Installing", currentRun, ...more }) });
const stepsOf = (given: ReturnType<typeof state>) => decide(given, [change], able()).steps;

describe("installation.suggest", () => {
  test("installation.suggest stands on the record with its evidence and its run, and moves nothing else", () => {
    const before = installing({ revision: 3 });
    const after = decide(before, [change], able()).goal;
    expect(after).toEqual({
      ...before,
      record: { ...before.record, suggestion: { evidence: change.evidence, by: "watch", at: AT, run: "run-1" } },
    });
    expect(suggest.events!(before, after, change)).toEqual([
      { type: "installation.suggested", data: { evidence: change.evidence, run: "run-1" } },
    ]);
  });

  test("installation.suggest counts once for each run", () => {
    const known = { evidence: "something else", by: "another", at: AT, run: "run-1" };
    expect(stepsOf(installing())).toHaveLength(1);
    expect(stepsOf(installing({ suggestion: known }))).toEqual([]);
    expect(stepsOf(installing({ suggestion: { ...known, run: "run-0" } }))).toHaveLength(1);
  });

  test("installation.suggest is about the last run once the VM is off, and about any where none is known", () => {
    const off = { ...installing(), vm: vm() };
    expect(decide(off, [change], able()).goal.record!.suggestion!.run).toBe("run-1");
    const { currentRun: _none, ...bare } = off.record!;
    const forgotten = { ...off, record: bare };
    expect(decide(forgotten, [change], able()).goal.record!.suggestion).not.toHaveProperty("run");
    const answered = { ...bare, suggestion: { evidence: "x", by: "y", at: AT, run: "run-0" } };
    expect(stepsOf({ ...off, record: answered })).toEqual([]);
  });

  test.each(["NotInstalled", "Installed", "InstallationFailed"] as const)(
    "installation.suggest is refused for a VM that is %s",
    (status) => {
      const error = refusal("INSTALLATION_TRANSITION_ILLEGAL", () => stepsOf(state({ record: record({ status }) })));
      expect(error.message).toContain("suggest completion");
      expect(error.details.status).toBe(status);
    },
  );

  test("installation.suggest is refused for a VM that is not managed", () => {
    const { record: _none, ...unmanaged } = state();
    refusal("VM_NOT_MANAGED", () => stepsOf(unmanaged));
  });

  test("installation.suggest wants evidence, of a length that a person reads", () => {
    for (const text of ["", "x".repeat(501)]) expect(Evidence.safeParse(text).success).toBe(false);
    expect(Evidence.safeParse("x".repeat(500)).success).toBe(true);
  });
});

describe("suggestionFindings()", () => {
  test("suggestionFindings() says who found what, and how to answer", () => {
    const suggestion = { evidence: "/ is on vda", by: "plugin:watch", at: AT };
    const [found, ...more] = suggestionFindings(installing({ suggestion }));
    expect(more).toEqual([]);
    expect(found!.message).toBe("plugin:watch found: / is on vda");
    expect(found!.fixes[0]).toEqual({
      tool: "complete_installation",
      arguments: { vm: target.uuid, boot_order: "hd", detach_iso: true },
    });
  });
});

describe("plainText()", () => {
  test("plainText() leaves no character that moves the cursor, turns the text or ends a line", () => {
    expect(plainText("\u001b[2Ja\u202eb\r\nc\u0000 ")).toBe("[2Ja b c");
    expect(plainText("Größe 1 — ok")).toBe("Größe 1 — ok");
  });
});
