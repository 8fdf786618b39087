import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFrames, FramingError } from "../../../../plugins/qemu/qmp/frames.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("createFrames()", () => {
  it("gives a message for each line, whatever ends it", () => {
    const frames = createFrames();
    expect(frames.push(bytes('{"a":1}\r\n{"b":2}\n\n'))).toEqual([{ a: 1 }, { b: 2 }]);
  });
  it("keeps what is not a whole line until the rest has come", () => {
    const frames = createFrames();
    expect(frames.push(bytes('{"event":'))).toEqual([]);
    expect(frames.push(bytes('"STOP"}'))).toEqual([]);
    expect(frames.push(bytes("\n"))).toEqual([{ event: "STOP" }]);
  });
  it("gives the same messages however the bytes are cut, also within a character", () => {
    const messages = fc.array(fc.record({ id: fc.nat(), text: fc.string({ unit: "grapheme" }) }), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (sent, sizes) => {
        const stream = bytes(sent.map((message) => `${JSON.stringify(message)}\n`).join(""));
        const frames = createFrames();
        const seen: unknown[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length]!;
          seen.push(...frames.push(stream.subarray(at, at + size)));
          at += size;
        }
        expect(seen).toEqual(sent);
      }),
    );
  });
  it("takes a line of the greatest length and refuses a longer one, ended or not", () => {
    const line = '{"text":"0123456789"}';
    expect(createFrames(line.length).push(bytes(`${line}\n`))).toEqual([{ text: "0123456789" }]);
    expect(() => createFrames(line.length - 1).push(bytes(`${line}\n`))).toThrow(FramingError);
    const endless = createFrames(line.length);
    endless.push(bytes(line));
    expect(() => endless.push(bytes("x"))).toThrow(FramingError);
  });
  it.each(["no json\n", "[]\n", "7\n", "null\n"])("refuses the line %j", (line) => {
    expect(() => createFrames().push(bytes(line))).toThrow(FramingError);
  });
});
