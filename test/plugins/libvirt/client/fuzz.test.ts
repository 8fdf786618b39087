// @module-tag long
// Goal: whatever bytes a daemon sends, every waiting call ends, the connection ends at the first nonsense with an error of
// its own, and no length in a message is believed before its bytes are there. Method: right answers mutated, cut, reordered over
// a real socket; the decoders alone with random bytes. Not seen: how the real daemon's timing differs.
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { readError } from "../../../../plugins/libvirt/client/error.ts";
import { readEvent } from "../../../../plugins/libvirt/client/event.ts";
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  type FrameHeader,
  FrameReader,
} from "../../../../plugins/libvirt/client/frames.ts";
import { openLibvirt, ProtocolError } from "../../../../plugins/libvirt/client/libvirt.ts";
import { readParameters } from "../../../../plugins/libvirt/client/parameter.ts";
import { PROCEDURE, type ProcedureName, procedureNumbers } from "../../../../plugins/libvirt/client/procedure.ts";
import { XdrError, XdrReader } from "../../../../plugins/libvirt/client/xdr.ts";
import { figure, scaled } from "../../../support/scale.ts";
import { type PretendDaemon, pretendDaemon, type ReceivedCall, text, words } from "./pretend-daemon.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 60_000 });
const seed = Number(process.env.BOOTWRIGHT_SEED ?? Date.now() % 2 ** 31);
const CALL_LIMIT_MS = 20_000;

const header = { program: 0x2000_8086, version: 1, procedure: 59, type: 1, serial: 1, status: 0 };
const uuidBytes = Buffer.from("0f0e0d0c0b0a49088706050403020100", "hex");
const domain = (name = "web") => Buffer.concat([text(name), uuidBytes, words(1)]);

const oddLengths = [0, 1, 4, 27, 28, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff].concat(
  FRAME_BYTES_MAX,
  FRAME_BYTES_MAX + 1,
);

/** Bytes that are nearly right: one of them cut, filled, flipped or made longer. */
const mutated = (right: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .record({
      how: fc.constantFrom("cut", "flip", "word", "more", "insert", "drop", "none"),
      at: fc.nat(),
      value: fc.oneof(fc.constantFrom(...oddLengths), fc.integer({ min: 0, max: 0xffff_ffff })),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    })
    .map(({ how, at, value, bytes }) => {
      const copy = Buffer.from(right);
      const place = at % Math.max(1, copy.length);
      const word = (place >> 2) << 2;
      if (how === "cut") return copy.subarray(0, place);
      if (how === "flip" && copy.length > 0) copy[place]! ^= 1 << (value % 8);
      if (how === "word" && word + 4 <= copy.length) copy.writeUInt32BE(value, word);
      if (how === "more") return Buffer.concat([copy, bytes]);
      if (how === "insert") return Buffer.concat([copy.subarray(0, place), bytes, copy.subarray(place)]);
      if (how === "drop") return Buffer.concat([copy.subarray(0, place), copy.subarray(place + bytes.length)]);
      return copy;
    });

describe(`The decoders, given anything (BOOTWRIGHT_SEED=${seed})`, () => {
  const parameters = Buffer.concat([
    words(4),
    ...[text("a"), words(1, 7)],
    ...[text("b"), words(4, 0, 7)],
    ...[text("block.0.path"), words(7), text("/a")],
    ...[text("d"), words(6, 1)],
  ]);
  const optionalText = (value: string) => Buffer.concat([words(1), text(value)]);
  const error = Buffer.concat([words(42, 10), optionalText("gone"), words(2, 0, 0, 0, 0, 0, 0, 0)]);
  const events = Object.fromEntries(
    [
      ["DOMAIN_EVENT_CALLBACK_LIFECYCLE", words(2, 1)],
      ["DOMAIN_EVENT_CALLBACK_REBOOT", words()],
      ["DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON", Buffer.concat([text("/a"), text("vda"), words(1), text("enospc")])],
      ["DOMAIN_EVENT_CALLBACK_TRAY_CHANGE", Buffer.concat([text("sda"), words(0)])],
      ["DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", Buffer.concat([words(2), optionalText("urn:x")])],
      ["DOMAIN_EVENT_BLOCK_THRESHOLD", Buffer.concat([text("vda"), optionalText("/a"), words(0, 1, 0, 2)])],
      [
        "DOMAIN_MONITOR_EVENT",
        Buffer.concat([text("SHUTDOWN"), words(0, 1, 2), optionalText('{"reason":"guest-reset"}')]),
      ],
    ].map(([name, rest]) => [name, Buffer.concat([words(5), domain(), rest as Buffer])]),
  ) as Record<ProcedureName, Buffer>;

  const decoders: [string, Buffer, (reader: XdrReader) => unknown][] = [
    ["parameters", parameters, (reader) => readParameters(reader, 100)],
    ["an error", error, (reader) => readError(reader, "CONNECT_GET_URI")],
    ...Object.entries(events).map(([name, bytes]): [string, Buffer, (reader: XdrReader) => unknown] => [
      name,
      bytes,
      (reader) => readEvent(procedureNumbers(name as ProcedureName), reader),
    ]),
  ];
  test.each(decoders)("read or refuse %s, by an XdrError and nothing else", (_name, right, decode) => {
    const whole = new XdrReader(right);
    decode(whole);
    whole.end();
    const attempt = (bytes: Buffer) => {
      try {
        decode(new XdrReader(bytes));
      } catch (cause) {
        expect(cause).toBeInstanceOf(XdrError);
      }
    };
    fc.assert(fc.property(mutated(right), attempt), { numRuns: scaled(20_000, 1_000), seed });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        attempt,
      ),
      { numRuns: scaled(20_000, 1_000), seed },
    );
    for (let length = 0; length < right.length; length++) {
      expect(() => {
        const reader = new XdrReader(right.subarray(0, length));
        decode(reader);
        reader.end();
      }, String(length)).toThrow(XdrError);
    }
  });

  test("keep a name like __proto__ from becoming more than a name", () => {
    const hostile = Buffer.concat([words(2), text("__proto__"), words(7), text("x"), text("constructor"), words(1, 1)]);
    const read = readParameters(new XdrReader(hostile), 10);
    expect(Object.entries(read)).toEqual([
      ["__proto__", "x"],
      ["constructor", 1],
    ]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test("believe no count and no length before the bytes are there", () => {
    const before = process.memoryUsage();
    const count = scaled(20_000, 2_000);
    for (let run = 0; run < count; run++) {
      expect(() => new XdrReader(words(0xffff_fff0)).string()).toThrow(XdrError);
      expect(() => new XdrReader(words(4_000_000)).string()).toThrow(XdrError);
      expect(() => new XdrReader(words(4_000_000, 1)).list(4_000_000, () => 1)).toThrow(XdrError);
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 << 20);
  });

  test("find the same packets wherever the stream is cut", () => {
    const frame = fc
      .record({ serial: fc.integer({ min: 0, max: 0xffff_ffff }), payload: fc.uint8Array({ maxLength: 60 }) })
      .map(({ serial, payload }) => ({ serial, payload: Buffer.from(payload) }));
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 6 }),
        fc.array(fc.nat({ max: 50 }), { maxLength: 40 }),
        (frames, cuts) => {
          const stream = Buffer.concat(
            frames.map(({ serial, payload }) => encodeFrame({ ...header, serial }, payload)),
          );
          const reader = new FrameReader();
          const found: { serial: number; payload: string }[] = [];
          let at = 0;
          for (const size of [...cuts, stream.length]) {
            for (const one of reader.read(stream.subarray(at, at + size)))
              found.push({ serial: one.header.serial, payload: one.payload.toString("hex") });
            at += size;
          }
          expect(found).toEqual(frames.map(({ serial, payload }) => ({ serial, payload: payload.toString("hex") })));
        },
      ),
      { numRuns: scaled(5_000, 500), seed },
    );
  });

  test("take random bytes for packets or refuse them with a ProtocolError", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        const reader = new FrameReader();
        try {
          for (const chunk of chunks)
            for (const { payload } of reader.read(chunk)) expect(payload.length).toBeLessThan(600);
        } catch (cause) {
          expect(cause).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: scaled(20_000, 1_000), seed },
    );
  });
});

describe(`A connection to a daemon that sends anything (BOOTWRIGHT_SEED=${seed})`, () => {
  let daemon: PretendDaemon;
  let misbehave: (call: ReceivedCall) => void = () => {};
  const open: { close: () => Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  afterAll(() => daemon?.stop());

  async function connected() {
    daemon ??= await pretendDaemon((call) => misbehave(call));
    const libvirt = openLibvirt({
      uri: "test:///default",
      socketPath: daemon.socketPath,
      keepalive: { intervalMs: 0, count: 0 },
    });
    open.push(libvirt);
    return libvirt;
  }

  const right: Record<number, Buffer> = {
    [PROCEDURE.CONNECT_GET_HOSTNAME]: text("host"),
    [PROCEDURE.CONNECT_GET_URI]: text("test:///default"),
    [PROCEDURE.CONNECT_LIST_ALL_DOMAINS]: Buffer.concat([words(2), domain("a"), domain("b"), words(2)]),
  };
  const packetOf = (received: FrameHeader, changes: Partial<FrameHeader> = {}) =>
    encodeFrame({ ...received, type: 1, ...changes }, right[received.procedure] ?? words());

  const named = (errors: readonly unknown[]) => errors.map((error) => (error as Error).name);
  let endedByNonsense = 0;

  test("ends every call, with its answer or a named error, whatever became of the stream", async () => {
    const numRuns = scaled(3_000, 250);
    const disorder = fc.record({
      order: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      changes: fc.option(
        fc.oneof(
          fc.record({ serial: fc.integer({ min: 0, max: 9 }) }),
          fc.record({ program: fc.constantFrom(0, 0x2000_8087, 0x6b65_6570) }),
          fc.record({ version: fc.integer({ min: 0, max: 3 }) }),
          fc.record({ procedure: fc.constantFrom(0, 3, 59, 110, 273, 318, 0xffff_ffff) }),
          fc.record({ type: fc.integer({ min: 0, max: 6 }) }),
          fc.record({ status: fc.integer({ min: 0, max: 3 }) }),
        ),
        { nil: {} },
      ),
      which: fc.nat({ max: 2 }),
      twice: fc.boolean(),
      cut: fc.integer({ min: 1, max: 64 }),
      mutation: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(
        disorder,
        fc.infiniteStream(fc.nat()),
        async ({ order, changes, which, twice, cut, mutation }, noise) => {
          const received: ReceivedCall[] = [];
          misbehave = (call) => {
            received.push(call);
            if (received.length < 3) return;
            const packets = order.map((index) => packetOf(received[index]!.header, index === which ? changes : {}));
            if (twice) packets.push(packets[0]!);
            const stream = fc.sample(mutated(Buffer.concat(packets)), { numRuns: 1, seed: mutation })[0]!;
            for (let at = 0; at < stream.length; at += cut + (noise.next().value % 3)) {
              // The pieces do not meet: bytes are lost between some of them.
              call.socket.write(stream.subarray(at, at + cut));
            }
            call.socket.end();
          };
          const libvirt = await connected();
          const options = { timeoutMs: CALL_LIMIT_MS };
          const calls = [
            libvirt.connectGetHostname(options),
            libvirt.connectGetUri(options),
            libvirt.connectListAllDomains(0, options),
          ];
          const settled = await Promise.allSettled(calls);
          const errors = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
          // Never by the time limit, which would be a call that nobody answered.
          for (const name of named(errors)) expect(["ConnectionLost", "LibvirtError"]).toContain(name);
          if (errors.some(({ cause }) => cause instanceof ProtocolError)) endedByNonsense++;
          await libvirt.close();
          open.length = 0;
        },
      ),
      { numRuns, seed },
    );
    figure("fuzzed connections", numRuns);
    figure("fuzzed connections, ended as a broken protocol", endedByNonsense);
    expect(endedByNonsense).toBeGreaterThan(numRuns / 20);
  });

  test("reserves nothing for packets that were announced and never came", async () => {
    const before = process.memoryUsage().arrayBuffers;
    const count = scaled(64, 16);
    let announced = 0;
    misbehave = ({ socket }) => socket.write(words(FRAME_BYTES_MAX), () => announced++);
    const all = await Promise.all(Array.from({ length: count }, connected));
    const calls = all.map((libvirt) => libvirt.connectGetUri({ timeoutMs: 5_000 }).catch((error: Error) => error.name));
    await expect.poll(() => announced).toBe(count);
    // Whoever can read it by now has read it.
    for (let turns = 0; turns < 100; turns++) await new Promise((turn) => setImmediate(turn));
    const grown = process.memoryUsage().arrayBuffers - before;
    figure(`bytes held for ${count} announced packets of 32 MiB`, grown);
    expect(await Promise.all(calls)).toEqual(Array.from({ length: count }, () => "CallInterrupted"));
    expect(grown).toBeLessThan(64 << 20);
  });
});
