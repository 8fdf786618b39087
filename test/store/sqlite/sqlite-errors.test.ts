import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { asDomainError, faultOf } from "../../../src/store/sqlite/sqlite-errors.ts";

const thrown = (more: object, message = "") => Object.assign(new Error(message), more);

test.each([
  ["busy", 5, "STORE_LOCKED"],
  ["busy", 517, "STORE_LOCKED"],
  ["read_only", 8, "STORE_READ_ONLY"],
  ["read_only", 1032, "STORE_READ_ONLY"],
  ["io", 266, "STORE_UNAVAILABLE"],
  ["corrupt", 11, "STORE_CORRUPT"],
  ["full", 13, "STORE_UNAVAILABLE"],
  ["cannot_open", 14, "STORE_UNAVAILABLE"],
  ["corrupt", 26, "STORE_CORRUPT"],
])("A driver's error is %s by its code %i, and told as %s", (fault, errcode, code) => {
  const error = thrown({ code: "ERR_SQLITE_ERROR", errcode });
  expect(faultOf(error)).toBe(fault);
  expect(asDomainError(error, "/data/bootwright.sqlite")).toMatchObject({
    code,
    details: { path: "/data/bootwright.sqlite" },
  });
});

// Deno leaves `errcode` out of the errors of `exec` and of opening.
test.each([
  ["busy", "database is locked"],
  ["read_only", "attempt to write a readonly database"],
  ["cannot_open", "unable to open database file: /data/bootwright.sqlite"],
  ["full", "database or disk is full"],
  ["corrupt", "database disk image is malformed"],
  ["io", "disk I/O error"],
])("An error without a code is %s by SQLite's own text", (fault, text) => {
  expect(faultOf(thrown({ code: "ERR_SQLITE_ERROR" }, text))).toBe(fault);
});

test("A mistake of ours stays the defect it is", () => {
  for (const error of [
    thrown({ code: "ERR_SQLITE_ERROR", errcode: 1 }),
    thrown({ code: "ERR_SQLITE_ERROR", errcode: 2067 }),
    new TypeError("x"),
  ]) {
    expect(asDomainError(error, "/data")).toBe(error);
  }
});

test("A full disk is told by the system's code or by SQLite's", () => {
  expect(asDomainError(thrown({ code: "ENOSPC" }, "no space left on device"), "/data")).toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  const database = new DatabaseSync(":memory:");
  database.exec("pragma max_page_count = 2; create table t (a)");
  try {
    database.exec("insert into t values (randomblob(100000))");
  } catch (error) {
    expect(faultOf(error)).toBe("full");
  }
  expect.assertions(2);
});
