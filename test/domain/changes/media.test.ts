import { describe, expect, test } from "vitest";
import { mediaChange, mediaChanges } from "../../../src/domain/changes/media.ts";
import type { Drive } from "../../../src/domain/model/vm.ts";
import { definition, drive, ISO, isoFact, record, refusal, running, state, vm } from "../fixture.ts";

const OTHER = "/isos/drivers.iso";
const set = mediaChanges["media.set"];
const holding = (next: Partial<Drive>, live?: Partial<Drive>) => {
  const nextDefinition = definition({ drives: [drive(next)] });
  return state({
    vm: live ? running(definition({ drives: [drive(live)] }), { next: nextDefinition }) : vm({ next: nextDefinition }),
  });
};
const input = (more: object = {}) => ({ drive: "sda", force: false, ...more });

describe("mediaChange()", () => {
  test("mediaChange() means the ISO drive unless told otherwise", () => {
    const two = state({
      vm: vm({ next: definition({ drives: [drive(), drive({ target: "sdb" })] }) }),
      record: record({ roles: { isoDrive: "sdb" } }),
    });
    expect(mediaChange(two, undefined, ISO).drive).toBe("sdb");
    expect(mediaChange(two, "sda", ISO).drive).toBe("sda");
  });

  test("mediaChange() changes the next start and, while it runs, the running VM", () => {
    expect(mediaChange(state(), undefined, ISO)).toEqual({
      kind: "media.set",
      drive: "sda",
      force: false,
      next: ISO,
      identity: "iso-1",
    });
    expect(mediaChange(holding({}, {}), undefined, ISO)).toMatchObject({ next: ISO, live: ISO });
    expect(mediaChange(holding({}, {}), undefined, undefined, true)).toEqual({
      kind: "media.set",
      drive: "sda",
      force: true,
    });
  });

  test("mediaChange() leaves the running VM alone while the drive waits for the next start", () => {
    const added = state({ vm: running(definition({ drives: [] }), { next: definition() }) });
    expect(mediaChange(added, "sda", ISO)).not.toHaveProperty("live");
  });

  test("mediaChange() refuses a drive that is not there and lists those that are", () => {
    expect(refusal("DRIVE_NOT_FOUND", () => mediaChange(state(), "sdz", ISO)).details).toEqual({
      vm: "web",
      drive: "sdz",
      known: ["sda"],
    });
    expect(
      refusal("DRIVE_NOT_FOUND", () =>
        mediaChange(state({ vm: vm({ next: definition({ drives: [] }) }) }), undefined, ISO),
      ).details.known,
    ).toEqual([]);
  });
});

describe("media.set", () => {
  // [next holds, live holds (absent: off), asked for, reached]
  const cases: [string, Partial<Drive>, Partial<Drive> | undefined, object, boolean][] = [
    ["the ISO is in a VM that is off", { path: ISO }, undefined, { next: ISO }, true],
    ["the tray of a VM that is off is empty", {}, undefined, { next: ISO }, false],
    ["another ISO is in it", { path: OTHER }, undefined, { next: ISO }, false],
    ["both definitions hold it", { path: ISO }, { path: ISO }, { next: ISO, live: ISO }, true],
    ["only the next one does", { path: ISO }, {}, { next: ISO, live: ISO }, false],
    ["only the live one does", {}, { path: ISO }, { next: ISO, live: ISO }, false],
    ["both are empty", {}, {}, {}, true],
    ["the live one still holds it", {}, { path: ISO }, {}, false],
    // A guest's reset closes the tray again, and the medium is back: that is not an empty drive.
    ["the guest opened the tray, and the source is still named", {}, { path: ISO, tray: "open" }, {}, false],
    [
      "the guest opened the tray on what is to be attached",
      { path: ISO },
      { path: ISO, tray: "open" },
      { next: ISO, live: ISO },
      false,
    ],
  ];
  test.each(cases)("media.set is judged by both definitions: %s", (_what, next, live, asked, reached) => {
    const now = holding(next, live);
    expect(set.reached(now, now, input(asked), now)).toBe(reached);
  });

  test("media.set is judged by the next definition alone once another run has begun", () => {
    const off = holding({});
    const since = holding({ path: ISO }, { path: ISO });
    expect(set.reached(since, since, input({ next: ISO }), off)).toBe(true);
    const again = { ...since, vm: { ...since.vm!, run: "another" } };
    expect(set.reached(again, again, input({ next: ISO }), holding({}, {}))).toBe(true);
    expect(set.reached(since, since, input({ next: ISO }), since)).toBe(false);
  });

  test("media.set is not reached in a drive that is not there", () => {
    const none = state({ vm: vm({ next: definition({ drives: [] }) }) });
    expect(set.reached(none, none, input(), none)).toBe(false);
  });

  test("media.set leads to a goal that it recognises", () => {
    for (const before of [holding({}), holding({ path: OTHER }, { path: OTHER, tray: "open" })]) {
      for (const asked of [input({ next: ISO, ...(before.vm!.live && { live: ISO }) }), input()]) {
        const goal = set.goal(before, asked);
        expect(set.reached(goal, goal, asked, before)).toBe(true);
      }
    }
  });

  test("media.set is undone by what each definition held", () => {
    expect(set.undo(holding({ path: ISO }, { path: OTHER }), input({ next: "/x" }))).toEqual([
      { kind: "media.set", drive: "sda", force: false, next: ISO, live: OTHER },
    ]);
    expect(set.undo(holding({}), input({ next: ISO }))).toEqual([{ kind: "media.set", drive: "sda", force: false }]);
  });

  test("media.set is undone with the identity that the ISO had when it was attached", () => {
    const before = { ...holding({ path: ISO }), record: record({ isoIdentity: "as attached" }) };
    const back = set.input.parse((set.undo(before, input()) as readonly object[])[0]);
    expect(back).toMatchObject({ next: ISO });
    // The file may have been replaced since, which is to be noticed still.
    const { isoIdentity: _gone, ...emptied } = before.record;
    expect(set.record!(emptied, state({ vm: before.vm! }), back)).toMatchObject({ isoIdentity: "as attached" });
    expect(
      set.undo({ ...before, record: record({ roles: { isoDrive: "sdb" }, isoIdentity: "of sdb" }) }, input()),
    ).toEqual([{ kind: "media.set", drive: "sda", force: false, next: ISO }]);
    expect(set.undo({ ...holding({}), record: before.record }, input({ next: ISO }))).toEqual([
      { kind: "media.set", drive: "sda", force: false },
    ]);
  });

  test("media.set records the identity of what is in the ISO drive, and of nothing else", () => {
    expect(set.record!(record(), state(), input({ next: ISO, identity: "iso-7" }))).toMatchObject({
      isoIdentity: "iso-7",
    });
    expect(set.record!(record(), state({ isos: { [ISO]: isoFact() } }), input({ next: ISO }))).toMatchObject({
      isoIdentity: "iso-1",
    });
    expect(set.record!(record({ isoIdentity: "iso-1" }), state(), input())).not.toHaveProperty("isoIdentity");
    expect(
      set.record!(record({ isoIdentity: "iso-1" }), state(), input({ drive: "sdb", next: OTHER, identity: "iso-9" })),
    ).toMatchObject({ isoIdentity: "iso-1" });
  });

  test("media.set tells what was attached, replaced or detached", () => {
    expect(set.events!(holding({ path: OTHER }), state(), input({ next: ISO }))).toEqual([
      { type: "media.attached", data: { drive: "sda", path: ISO, replaced: OTHER } },
    ]);
    expect(set.events!(holding({}, { path: ISO }), state(), input())).toEqual([
      { type: "media.detached", data: { drive: "sda", path: ISO } },
    ]);
    expect(set.events!(holding({}), state(), input({ next: ISO }))).toEqual([
      { type: "media.attached", data: { drive: "sda", path: ISO } },
    ]);
  });
});

describe("drive.add", () => {
  const none = state({ vm: vm({ next: definition({ drives: [] }) }) });
  const added = { target: "sda", bus: "sata" } as const;
  test("drive.add adds an empty drive for the next start, which becomes the ISO drive", () => {
    const goal = mediaChanges["drive.add"].goal(none, added);
    expect(goal.vm!.next.drives).toEqual([drive()]);
    expect(mediaChanges["drive.add"].record!(record({ roles: {} }), goal, added)).toMatchObject({
      roles: { isoDrive: "sda" },
    });
    expect(mediaChanges["drive.add"].undo(none, added)).toEqual([{ kind: "drive.remove", target: "sda" }]);
  });
  test("drive.remove is reached when the drive is gone", () => {
    const remove = mediaChanges["drive.remove"];
    expect(remove.reached(none, none, { target: "sda" }, none)).toBe(true);
    expect(remove.reached(state(), none, { target: "sda" }, none)).toBe(false);
    expect(remove.goal(state(), { target: "sda" }).vm!.next.drives).toEqual([]);
  });
});
