/** The way to a VM's screen and keyboard. */
import { expect, it } from "vitest";
import type { Backend } from "../../src/domain/ports/backend.ts";
import { screenOf } from "../display/rfb.ts";
import type { Test } from "./contract-bench.ts";

export function consoleContract(test: Test, backend: () => Backend): void {
  it("a console is a capability where there is one, and nowhere else", () => {
    expect(backend().capabilities.groups.includes("display")).toBe(backend().display !== undefined);
  });
  test("console() leads to the screen of a running VM, and asks for no password", async (bench) => {
    const { target } = await bench.make({}, true);
    const opened = await bench.backend.display!.console(target.uuid);
    const { version, types, screen, reader } = await screenOf(opened!);
    expect([opened!.kind, version, types]).toEqual(["vnc", "RFB 003.008\n", [1]]);
    expect(screen.width).toBeGreaterThan(300);
    expect(screen.height).toBeGreaterThan(200);
    await reader.cancel();
  });
  test("console() gives one screen to several at once", async (bench) => {
    const { target } = await bench.make({}, true);
    const open = async () => screenOf((await bench.backend.display!.console(target.uuid))!);
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
  test("console() ends when the VM's power is cut", async (bench) => {
    const on = await bench.make({}, true);
    const { reader, writer } = await screenOf((await bench.backend.display!.console(on.target.uuid))!);
    const ended = Promise.allSettled([reader.end(), writer.closed]);
    await bench.apply(on, { kind: "power.stop", force: true, timeoutMs: 0 });
    await ended;
  });
  test("console() of a VM that is off, and of one that is not there, is undefined", async (bench) => {
    const { target } = await bench.make();
    expect(await bench.backend.display!.console(target.uuid)).toBeUndefined();
    expect(await bench.backend.display!.console(crypto.randomUUID())).toBeUndefined();
  });
  test("console() is not opened once it is aborted", async (bench) => {
    const { target } = await bench.make({}, true);
    await expect(bench.backend.display!.console(target.uuid, AbortSignal.abort())).rejects.toThrow();
  });
}
