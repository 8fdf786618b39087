import { describe, expect, test } from "vitest";
import { diskChanges } from "../../../src/domain/changes/disk.ts";
import type { DiskFact } from "../../../src/domain/model/image-fact.ts";
import { bytesOf, DISK_GIB_MAX, gibOf, SizeGb } from "../../../src/domain/model/size.ts";
import { biosDisk, blankDisk, DISK, diskFact, GIB, missingDisk, refusal, state } from "../fixture.ts";

const on = (fact: DiskFact | undefined) => state({ disks: fact ? { [DISK]: fact } : {} });

describe("SizeGb", () => {
  test.each([1, 20, 20.5, DISK_GIB_MAX])("SizeGb takes %d", (size) => {
    expect(SizeGb.parse(size)).toBe(size);
  });
  test.each([0, 0.5, -1, 20.3, DISK_GIB_MAX + 1, Number.NaN, Number.POSITIVE_INFINITY, "20"])(
    "SizeGb refuses %s",
    (size) => {
      expect(SizeGb.safeParse(size).success).toBe(false);
    },
  );
  test("SizeGb is GiB, there and back", () => {
    expect(bytesOf(20)).toBe(20 * 1024 ** 3);
    expect(bytesOf(1.5)).toBe(1_610_612_736);
    expect(gibOf(bytesOf(20.5))).toBe(20.5);
    expect(gibOf(1_000_000_000)).toBe(0.93);
    expect(Number.isSafeInteger(bytesOf(DISK_GIB_MAX))).toBe(true);
  });
});

describe("disk.create", () => {
  const create = diskChanges["disk.create"];
  const input = { path: DISK, sizeBytes: 20 * GIB };

  test("disk.create makes a blank qcow2 image where no file is", () => {
    const goal = create.goal(on(missingDisk), input);
    expect(goal.disks[DISK]).toMatchObject({ state: "ok", format: "qcow2", content: "blank", virtualBytes: 20 * GIB });
    expect(create.reached(goal, goal, input, on(missingDisk))).toBe(true);
    expect(create.artifacts!(input)).toEqual([DISK]);
  });

  test.each([
    ["a file that is there", blankDisk],
    ["a file that cannot be read", diskFact({ state: "unreadable" })],
    ["a directory", diskFact({ state: "not_a_file" })],
    ["a path that nobody looked at", undefined],
  ])("disk.create refuses %s", (_what, fact) => {
    expect(refusal("DISK_EXISTS", () => create.goal(on(fact), input)).details).toEqual({ path: DISK });
  });

  test("disk.create is not reached by an image of another size", () => {
    expect(create.reached(on(diskFact({ virtualBytes: GIB })), on(blankDisk), input, on(missingDisk))).toBe(false);
    expect(create.reached(on(missingDisk), on(blankDisk), input, on(missingDisk))).toBe(false);
  });

  test("disk.create is undone by removing the file", () => {
    expect(create.undo(on(missingDisk), input)).toEqual([{ kind: "disk.delete", path: DISK }]);
  });
});

describe("disk.delete", () => {
  const remove = diskChanges["disk.delete"];
  test("disk.delete loses the file, and nothing where there is none", () => {
    expect(remove.loses!(on(biosDisk), { path: DISK })).toEqual([`the file ${DISK}`]);
    expect(remove.loses!(on(missingDisk), { path: DISK })).toEqual([]);
  });
  test("disk.delete is the point of no return, reached when the file is gone", () => {
    expect(remove.undo(on(biosDisk), { path: DISK })).toBe("pivot");
    expect(remove.reached(on(missingDisk), on(missingDisk), { path: DISK }, on(biosDisk))).toBe(true);
    expect(remove.reached(on(undefined), on(missingDisk), { path: DISK }, on(biosDisk))).toBe(false);
  });
});

describe("disk.resize", () => {
  const resize = diskChanges["disk.resize"];
  const to = (sizeBytes: number) => ({ disk: "vda", path: DISK, sizeBytes });

  test("disk.resize grows, and is never undone", () => {
    const goal = resize.goal(on(biosDisk), to(40 * GIB));
    expect(goal.disks[DISK]).toEqual({ ...biosDisk, virtualBytes: 40 * GIB });
    expect(resize.undo(on(biosDisk), to(40 * GIB))).toBe("kept");
    expect(resize.reached(on(biosDisk), goal, to(40 * GIB), on(biosDisk))).toBe(false);
    expect(resize.reached(goal, goal, to(40 * GIB), on(biosDisk))).toBe(true);
  });

  // A live blockresize shrinks without a word, one byte being enough to lose data.
  test.each([20 * GIB - 1, GIB, 512])("disk.resize refuses to shrink to %i bytes", (sizeBytes) => {
    const error = refusal("SHRINK_REFUSED", () => resize.goal(on(biosDisk), to(sizeBytes)));
    expect(error.details).toEqual({ vm: "web", currentBytes: 20 * GIB, requestedBytes: sizeBytes });
    expect(error.hint).toContain("20 GiB");
  });

  test("disk.resize is so already at the same size", () => {
    expect(resize.reached(on(biosDisk), resize.goal(on(biosDisk), to(20 * GIB)), to(20 * GIB), on(biosDisk))).toBe(
      true,
    );
  });

  test.each([
    ["missing", missingDisk],
    ["unreadable", diskFact({ state: "unreadable" })],
    ["not a file", undefined],
  ])("disk.resize refuses an image that is %s", (reason, fact) => {
    expect(refusal("DISK_NOT_GROWABLE", () => resize.goal(on(fact), to(40 * GIB))).message).toContain(reason);
  });

  test("disk.resize refuses an image whose size nobody knows", () => {
    const { virtualBytes: _none, ...fact } = biosDisk;
    refusal("DISK_NOT_GROWABLE", () => resize.goal(on(fact), to(40 * GIB)));
  });

  test("disk.resize tells from what to what", () => {
    const [event] = resize.events!(on(biosDisk), on(biosDisk), to(40 * GIB));
    expect(event).toEqual({
      type: "disk.resized",
      data: { disk: "vda", path: DISK, from_bytes: 20 * GIB, to_bytes: 40 * GIB },
    });
  });
});
