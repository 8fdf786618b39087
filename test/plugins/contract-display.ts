/** The way to a VM's screen and keyboard. */
import { expect } from "vitest";
import { screenOf } from "../display/rfb.ts";
import type { GroupTest } from "./contract-harness.ts";

export function displayContract(test: GroupTest<"display">): void {
  test("console() leads to the screen of a running VM, and asks for no password", async (harness, display) => {
    const { target } = await harness.make({}, true);
    const opened = await display.console(target.uuid);
    const { version, types, screen, reader } = await screenOf(opened!);
    expect([opened!.kind, version, types]).toEqual(["vnc", "RFB 003.008\n", [1]]);
    expect(screen.width).toBeGreaterThan(300);
    expect(screen.height).toBeGreaterThan(200);
    await reader.cancel();
  });
  test("console() gives one screen to several at once", async (harness, display) => {
    const { target } = await harness.make({}, true);
    const open = async () => screenOf((await display.console(target.uuid))!);
    const both = [await open(), await open()];
    const pictures = both.map(async ({ reader, writer, screen }) => {
      // The whole screen, once.
      const request = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
      request.writeUInt16BE(screen.width, 6);
      request.writeUInt16BE(screen.height, 8);
      await writer.write(request);
      const [message] = await reader.take(1);
      await reader.cancel();
      return message;
    });
    expect(await Promise.all(pictures)).toEqual([0, 0]);
  });
  test("console() ends when the VM's power is cut", async (harness, display) => {
    const on = await harness.make({}, true);
    const { reader, writer } = await screenOf((await display.console(on.target.uuid))!);
    const ended = Promise.allSettled([reader.end(), writer.closed]);
    await harness.apply(on, { kind: "power.stop", force: true, timeoutMs: 0 });
    await ended;
  });
  test("console() of a VM that is off, and of one that is not there, is undefined", async (harness, display) => {
    const { target } = await harness.make();
    expect(await display.console(target.uuid)).toBeUndefined();
    expect(await display.console(crypto.randomUUID())).toBeUndefined();
  });
  test("console() is not opened once it is aborted", async (harness, display) => {
    const { target } = await harness.make({}, true);
    await expect(display.console(target.uuid, AbortSignal.abort())).rejects.toThrow();
  });
}
