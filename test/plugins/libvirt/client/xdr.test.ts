import { describe, expect, test } from "vitest";
import { STRING_BYTES_MAX, XdrError, XdrReader, XdrWriter } from "../../../../plugins/libvirt/client/xdr.ts";

function written(write: (writer: XdrWriter) => void): string {
  const writer = new XdrWriter();
  write(writer);
  return writer.bytes().toString("hex");
}

function reading<T>(hex: string, read: (reader: XdrReader) => T): T {
  const reader = new XdrReader(Buffer.from(hex, "hex"));
  const value = read(reader);
  reader.end();
  return value;
}

describe("XdrWriter", () => {
  test.each<[string, (writer: XdrWriter) => void, string]>([
    ["a negative integer", (writer) => writer.int(-2), "fffffffe"],
    ["the largest unsigned integer", (writer) => writer.unsigned(0xffff_ffff), "ffffffff"],
    ["an unsigned hyper", (writer) => writer.unsignedHyper(2n ** 64n - 1n), "ffffffffffffffff"],
    ["an empty text", (writer) => writer.string(""), "00000000"],
    ["a text padded to four bytes", (writer) => writer.string("abcde"), "0000000561626364" + "65000000"],
    ["a text in UTF-8", (writer) => writer.string("é"), "00000002c3a90000"],
    ["an absent value", (writer) => writer.optional(undefined, () => {}), "00000000"],
    ["a present value", (writer) => writer.optional(7, (value) => writer.int(value)), "0000000100000007"],
    ["a list", (writer) => writer.list([1, 2], (value) => writer.unsigned(value)), "000000020000000100000002"],
  ])("XdrWriter writes %s", (_, write, hex) => {
    expect(written(write)).toBe(hex);
  });

  test.each<[string, (writer: XdrWriter) => void]>([
    ["a fraction", (writer) => writer.int(1.5)],
    ["an integer beyond 32 bits", (writer) => writer.int(2 ** 31)],
    ["a negative unsigned integer", (writer) => writer.unsigned(-1)],
    ["a hyper beyond 64 bits", (writer) => writer.unsignedHyper(2n ** 64n)],
    ["a text with a NUL, which the daemon would cut", (writer) => writer.string("vm\0other")],
    ["half a surrogate pair", (writer) => writer.string("\ud800")],
    ["a text that libvirt would not read", (writer) => writer.string("x".repeat(STRING_BYTES_MAX + 1))],
  ])("XdrWriter refuses %s", (_, write) => {
    expect(() => written(write)).toThrow(RangeError);
  });

  test("XdrWriter and XdrReader agree on a text of the largest size", () => {
    const longest = "x".repeat(STRING_BYTES_MAX);
    expect(
      reading(
        written((writer) => writer.string(longest)),
        (reader) => reader.string(),
      ),
    ).toBe(longest);
  });
});

describe("XdrReader", () => {
  test.each<[string, string, (reader: XdrReader) => unknown, unknown]>([
    ["an integer", "fffffffe", (reader) => reader.int(), -2],
    ["a hyper", "ffffffffffffffff", (reader) => reader.hyper(), -1n],
    ["an unsigned hyper", "ffffffffffffffff", (reader) => reader.unsignedHyper(), 2n ** 64n - 1n],
    ["a double", "3ff8000000000000", (reader) => reader.double(), 1.5],
    ["a text with a byte order mark", "00000004efbbbf61", (reader) => reader.string(), "\ufeffa"],
    ["a shown text that is not UTF-8", "00000002ff610000", (reader) => reader.shownString(), "\ufffda"],
    ["an absent value", "00000000", (reader) => reader.optional(() => reader.int()), undefined],
    ["a list", "0000000100000009", (reader) => reader.list(2, () => reader.int()), [9]],
  ])("XdrReader reads %s", (_, hex, read, value) => {
    expect(reading(hex, read)).toEqual(value);
  });

  test.each<[string, string, (reader: XdrReader) => unknown]>([
    ["a short integer", "000000", (reader) => reader.int()],
    ["a short hyper", "00000000", (reader) => reader.hyper()],
    ["a text longer than the message", "00000005616263", (reader) => reader.string()],
    ["a text beyond the protocol's limit", "ffffffff", (reader) => reader.string()],
    ["a text without its padding", "0000000161", (reader) => reader.string()],
    ["padding that is not zero", "0000000161000100", (reader) => reader.string()],
    ["a text that is not UTF-8", "00000002ff610000", (reader) => reader.string()],
    ["a truth value of 2", "00000002", (reader) => reader.truth()],
    ["a list beyond the protocol's limit", "0000000300000001", (reader) => reader.list(2, () => reader.int())],
    ["a list that the message cannot hold", "00000002" + "00000001", (reader) => reader.list(9, () => reader.int())],
    ["bytes that are left", "0000000100000000", (reader) => reader.int()],
  ])("XdrReader refuses %s", (_, hex, read) => {
    expect(() => reading(hex, read)).toThrow(XdrError);
  });
});
