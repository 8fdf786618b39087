// Goal: the guest that decides about KVM does give its sign of life, and ends. Method: the same guest under emulation, and
// under whatever this machine has. What it cannot see: a host on which KVM half works, if this is none.

import { afterAll, beforeAll, expect, test } from "vitest";
import { acceleratorFor, probe } from "../../../plugins/qemu/acceleration.ts";
import { openQemuHarness, type QemuHarness } from "./harness.ts";

let testbed: QemuHarness;
beforeAll(async () => {
  testbed = await openQemuHarness();
});
afterAll(() => testbed?.close());

test("the probe guest writes its byte and ends by itself", async () => {
  expect(await probe(testbed.session, "tcg", AbortSignal.timeout(60_000))).toBe(true);
});

test("acceleration auto is one under which a guest runs on this host", async () => {
  const found = await acceleratorFor(testbed.session, "auto", () => {}, AbortSignal.timeout(60_000));
  expect(await probe(testbed.session, found, AbortSignal.timeout(60_000))).toBe(true);
});
