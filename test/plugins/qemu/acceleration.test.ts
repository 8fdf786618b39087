// Goal: what a probe guest shows decides, once. Method: a script in QEMU's place that says what a guest under KVM would.
// What it cannot see: KVM itself; that the probe guest does give its sign is shown in acceleration.real.test.ts.

import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { acceleratorFor } from "../../../plugins/qemu/acceleration.ts";
import qemu from "../../../plugins/qemu/index.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import { pluginContext } from "../../support/world.ts";

async function hostWhere(script: string) {
  const directory = temporaryDirectory();
  const [binary, ran] = [join(directory, "qemu"), join(directory, "ran")];
  writeFileSync(binary, `#!/bin/sh\necho "$@" >>${ran}\n${script}\n`);
  chmodSync(binary, 0o755);
  const context = pluginContext("local", { cacheDirectory: join(directory, "cache"), stateDirectory: directory });
  const open = () => qemu.open(qemu.config.parse({ binary, vms: join(directory, "vms") }), context);
  const decide = async (wanted: "auto" | "kvm" | "tcg", signal = AbortSignal.timeout(30_000)) =>
    acceleratorFor(await open(), wanted, () => {}, signal);
  return { decide, probes: () => (existsSync(ran) ? readFileSync(ran, "utf8").trim().split("\n") : []) };
}

describe.runIf(process.platform === "linux")("acceleratorFor()", () => {
  it("is KVM where the probe guest writes its byte, and asks no second time", async () => {
    const { decide, probes } = await hostWhere("printf K");
    expect([await decide("auto"), await decide("kvm"), await decide("auto")]).toEqual(["kvm", "kvm", "kvm"]);
    expect(probes()).toEqual([expect.stringContaining("accel=kvm")]);
  });
  it("is emulation where QEMU fails, and KVM is refused to who asks for it", async () => {
    const { decide, probes } = await hostWhere("echo 'failed to initialize kvm' >&2; exit 1");
    expect(await decide("auto")).toBe("tcg");
    await expect(decide("kvm")).rejects.toMatchObject({ code: "BACKEND_FAILED" });
    expect(probes().length).toBe(1);
  });
  it("is emulation where a guest starts and says nothing", async () => {
    expect(await (await hostWhere("exit 0")).decide("auto")).toBe("tcg");
  });
  it("starts no guest for who wants emulation, nor after an abort", async () => {
    const { decide, probes } = await hostWhere("printf K");
    expect(await decide("tcg")).toBe("tcg");
    await expect(decide("auto", AbortSignal.abort())).rejects.toThrow();
    expect(probes()).toEqual([]);
  });
});
