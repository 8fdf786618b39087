import { describe, expect, test } from "vitest";
import { installationChanges, transitionChanges } from "../../../src/domain/changes/installation.ts";
import { eventTypes } from "../../../src/domain/model/event.ts";
import {
  InstallationStatus,
  legalFrom,
  statusAfter,
  type Transition,
  transitions,
} from "../../../src/domain/model/installation.ts";
import { record, refusal, state, untagged, vm } from "../fixture.ts";

const names = Object.keys(transitions) as Transition[];
const statuses = InstallationStatus.options;

/** Every transition there is, from every status; what is not here is illegal. */
const legal: Record<InstallationStatus, Partial<Record<Transition, InstallationStatus>>> = {
  NotInstalled: { start_installation: "Installing", complete: "Installed" },
  Installing: { complete: "Installed", fail: "InstallationFailed", cancel: "NotInstalled" },
  Installed: { begin_reinstallation: "Installing" },
  InstallationFailed: { start_installation: "Installing", complete: "Installed" },
};
const all = statuses.flatMap((status) =>
  names.map((transition) => ({ status, transition, to: legal[status][transition] })),
);

describe("statusAfter()", () => {
  test.each(all.filter(({ to }) => to !== undefined))(
    "statusAfter() leads from $status by $transition to $to",
    ({ status, transition, to }) => {
      expect(statusAfter("web", status, transition)).toBe(to);
      expect(legalFrom(status)).toContain(transition);
    },
  );

  test.each(all.filter(({ to }) => to === undefined))(
    "statusAfter() refuses $transition from $status and lists what is legal",
    ({ status, transition }) => {
      const error = refusal("INSTALLATION_TRANSITION_ILLEGAL", () => statusAfter("web", status, transition));
      expect(error.details).toEqual({ vm: "web", status, transition, legal: Object.keys(legal[status]) });
      for (const name of Object.keys(legal[status])) expect(error.hint).toContain(name);
      expect(error.message).toContain(status);
    },
  );

  test("statusAfter() leaves no status that nothing leads out of", () => {
    for (const status of statuses) expect(legalFrom(status).length).toBeGreaterThan(0);
  });
});

describe("transitionChanges()", () => {
  test("transitionChanges() writes the tag that witnesses the record, then the record", () => {
    expect(transitionChanges(state({ record: record({ status: "Installing", revision: 4 }) }), "complete")).toEqual([
      { kind: "claim.write", tag: { uuid: record().uuid, revision: 5, status: "Installed" } },
      { kind: "installation.set", transition: "complete" },
    ]);
  });

  test("transitionChanges() refuses an illegal transition and a VM that is not managed", () => {
    refusal("INSTALLATION_TRANSITION_ILLEGAL", () => transitionChanges(state(), "fail"));
    const { record: _none, ...unmanaged } = state();
    refusal("VM_NOT_MANAGED", () => transitionChanges(unmanaged, "complete"));
  });
});

describe("installation.set", () => {
  const set = installationChanges["installation.set"];

  test.each(all.filter(({ to }) => to !== undefined))(
    "installation.set records $transition from $status with an event",
    ({ status, transition, to }) => {
      const given = state({ record: record({ status, revision: 2 }) });
      expect(set.record!(given.record, given, { transition })).toEqual({ ...given.record, status: to, revision: 3 });
      const [event] = set.events!(given, given, { transition });
      expect(event!.data).toEqual({ from: status, to });
      expect(eventTypes).toContain(event!.type);
    },
  );

  test.each(names)("installation.set answers a suggestion by %s", (transition) => {
    const suggestion = { evidence: "the disk boots", by: "test", at: "2026-11-23T10:00:00.000Z" };
    const given = state({ record: record({ status: transitions[transition].from[0], suggestion }) });
    expect(set.record!(given.record, given, { transition })).not.toHaveProperty("suggestion");
  });

  test("installation.set gives every transition an event of its own", () => {
    expect(new Set(names.map((name) => transitions[name].event)).size).toBe(names.length);
  });

  test("installation.set is judged again when it is planned", () => {
    refusal("INSTALLATION_TRANSITION_ILLEGAL", () =>
      set.goal(state({ record: record({ status: "Installed" }) }), { transition: "complete" }),
    );
  });
});

describe("claim.write", () => {
  const write = installationChanges["claim.write"];
  const tag = { uuid: record().uuid, revision: 2, status: "Installed" };
  const tagged = state({ vm: vm({ claim: tag }) });

  const bare = state({ vm: untagged });

  test("claim.write is reached when the definition holds exactly this tag", () => {
    expect(write.reached(tagged, tagged, { tag }, state())).toBe(true);
    expect(write.reached(tagged, tagged, { tag: { ...tag, revision: 3 } }, state())).toBe(false);
    expect(write.reached(bare, bare, { tag }, state())).toBe(false);
    expect(write.reached(bare, bare, {}, state())).toBe(true);
  });

  test("claim.write is undone by the tag that was there, or by none", () => {
    expect(write.undo(tagged, {})).toEqual([{ kind: "claim.write", tag }]);
    expect(write.undo(bare, { tag })).toEqual([{ kind: "claim.write" }]);
    expect(write.goal(tagged, {}).vm).not.toHaveProperty("claim");
  });
});
