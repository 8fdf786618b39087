import { describe, expect, test } from "vitest";
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from "../../../../plugins/libvirt/client/frames.ts";
import { ProtocolError } from "../../../../plugins/libvirt/client/libvirt.ts";

const header = { program: 0x2000_8086, version: 1, procedure: 66, type: 0, serial: 3, status: 0 };

describe("encodeFrame()", () => {
  test("encodeFrame() writes a length that counts itself and six words of header", () => {
    const hex = "00000020" + "20008086" + "00000001" + "00000042" + "00000000" + "00000003" + "00000000" + "01020304";
    expect(encodeFrame(header, Buffer.of(1, 2, 3, 4)).toString("hex")).toBe(hex);
  });

  test("encodeFrame() refuses a packet that libvirt would not read", () => {
    expect(() => encodeFrame(header, new Uint8Array(FRAME_BYTES_MAX))).toThrow(RangeError);
  });
});

describe("FrameReader", () => {
  const first = encodeFrame(header, Buffer.of(1, 2, 3, 4));
  const second = encodeFrame({ ...header, serial: 4 }, Buffer.alloc(0));
  const both = Buffer.concat([first, second]);

  test.each([1, 3, 4, 5, 27, 28, 32, 33, 60])("FrameReader finds the packets in pieces of %i bytes", (size) => {
    const reader = new FrameReader();
    const found: [number, string][] = [];
    for (let start = 0; start < both.length; start += size) {
      for (const frame of reader.read(both.subarray(start, start + size))) {
        found.push([frame.header.serial, frame.payload.toString("hex")]);
      }
    }
    expect(found).toEqual([
      [3, "01020304"],
      [4, ""],
    ]);
  });

  test.each([0, 4, 27, FRAME_BYTES_MAX + 1, 0xffff_ffff])("FrameReader refuses a packet of %i bytes", (length) => {
    const word = Buffer.alloc(4);
    word.writeUInt32BE(length);
    expect(() => [...new FrameReader().read(word)]).toThrow(ProtocolError);
  });
});
