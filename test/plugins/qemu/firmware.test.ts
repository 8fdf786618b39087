import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { firmwareFor } from "../../../plugins/qemu/firmware.ts";
import { temporaryDirectory } from "../../support/memory.ts";

const descriptor = (code: string, features: string[], more: object = {}) => ({
  "interface-types": ["uefi"],
  mapping: {
    device: "flash",
    executable: { filename: `/fw/${code}`, format: "raw" },
    "nvram-template": { filename: "/fw/vars.fd", format: "raw" },
  },
  targets: [{ architecture: "x86_64", machines: ["pc-q35-*"] }],
  features,
  ...more,
});
function directoryOf(files: Record<string, object | string>, until: "test" | "file" = "test"): string {
  const directory = temporaryDirectory(until);
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  return directory;
}
const secure = ["secure-boot", "enrolled-keys", "requires-smm"];

describe("firmwareFor()", () => {
  const files = {
    "40-secure-enrolled.json": descriptor("secure.fd", secure),
    "50-secure.json": descriptor("secure-without-keys.fd", ["secure-boot", "requires-smm"]),
    "60-plain.json": descriptor("plain.fd", []),
    "70-plain-too.json": descriptor("plain-too.fd", []),
  };
  const usual = directoryOf(files, "file");
  it("takes the first without Secure Boot, or the first with it and with keys", async () => {
    expect(await firmwareFor("uefi", [usual])).toMatchObject({ code: "/fw/plain.fd", needsSmm: false });
    expect(await firmwareFor("uefi_secure", [usual])).toMatchObject({ code: "/fw/secure.fd", needsSmm: true });
  });
  it("lets a file hide one of the same name in a later directory, an empty one too", async () => {
    const own = directoryOf({ "60-plain.json": descriptor("own.fd", []), "40-secure-enrolled.json": "" });
    expect(await firmwareFor("uefi", [own, usual])).toMatchObject({ code: "/fw/own.fd" });
    await expect(firmwareFor("uefi_secure", [own, usual])).rejects.toThrow(/no uefi_secure firmware/);
  });
  it.each<[string, object]>([
    ["another architecture", { targets: [{ architecture: "aarch64", machines: ["virt-*"] }] }],
    ["another machine", { targets: [{ architecture: "x86_64", machines: ["pc-i440fx-*"] }] }],
    ["another interface", { "interface-types": ["bios"] }],
    ["no variables of the VM's own", { mapping: { device: "memory", filename: "/fw/one.fd" } }],
  ])("passes over firmware for %s", async (_what, more) => {
    await expect(firmwareFor("uefi", [directoryOf({ "10.json": descriptor("x.fd", [], more) })])).rejects.toThrow();
  });
  it("says where it looked when there is none", async () => {
    await expect(firmwareFor("uefi", ["/nowhere/firmware"])).rejects.toThrow(/install OVMF \(looked in \/nowhere/);
  });
});
