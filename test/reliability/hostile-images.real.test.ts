// Goal: no image file, whatever is in it, makes a tool fail without a name, wait without end, or hand QEMU a file that is
// not the VM's. Method: each hostile file takes the place of a real VM's disk, or stands in its ISO library, and every tool
// that looks at it is called, on real libvirt. What cannot be seen: images that QEMU itself is wrong about.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { makeQcow2 } from "../images/fixture.ts";
import { type Refusal, Refused } from "../support/client.ts";
import { figure } from "../support/scale.ts";
import { openTestbed, type Testbed, type TestbedVm, type ToolName } from "../support/vm.ts";
import { hostileDisks, hostileMedia } from "./hostile-files.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });
const CALL_LIMIT_MS = 60_000;
const CODE = /^[A-Z_]+$/;

describe("Hostile images, through the tools", () => {
  let testbed: Testbed;
  let vm: TestbedVm;
  let slowestMs = 0;
  let cases = 0;
  beforeAll(async () => {
    testbed = await openTestbed({ isos: [inject("guests").isos.bios] });
    vm = await testbed.create("disk");
    mkdirSync(join(testbed.directory, "outside"));
    makeQcow2(join(testbed.directory, "outside", "base.qcow2"), "1G");
    writeFileSync(join(testbed.directory, "outside", "secret.raw"), Buffer.alloc(1 << 20, "secret"));
  });
  afterAll(async () => {
    figure("hostile images", cases);
    figure("hostile images, slowest call", `${Math.round(slowestMs)} ms`);
    await testbed.close();
  });

  type Outcome = { refusal: Refusal } | { answer: Record<string, unknown> };

  /** Makes one call, which has to be answered, or refused with a code, in time. */
  async function attempt(tool: ToolName, args: Record<string, unknown>): Promise<Outcome> {
    const started = performance.now();
    try {
      return {
        answer: (await testbed.server.call(tool, args, { timeoutMs: CALL_LIMIT_MS })) as Record<string, unknown>,
      };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      expect(error.refusal?.code, error.message).toMatch(CODE);
      expect(error.refusal.code).not.toBe("DEFECT");
      return { refusal: error.refusal };
    } finally {
      slowestMs = Math.max(slowestMs, performance.now() - started);
    }
  }
  const codeOf = (outcome: Outcome) => ("refusal" in outcome ? outcome.refusal.code : "done");

  type ListedIso = { path: string; boots_bios: boolean; boots_uefi: boolean; volume_label?: string };
  /** Returns the findings about the medium itself. */
  const isoFindings = (outcome: Outcome): string[] =>
    "answer" in outcome
      ? (outcome.answer.vm as { findings: { code: string }[] }).findings
          .map(({ code }) => code)
          .filter((code) => code.startsWith("ISO_"))
      : [];

  /** Replaces the disk with a file. */
  function replaceDisk(make: (path: string) => void): void {
    rmSync(vm.disk_path, { recursive: true, force: true });
    make(vm.disk_path);
  }
  test.each(hostileDisks)("a disk with %s is looked at, and neither grown nor started", async (name, make) => {
    cases++;
    replaceDisk(make);
    const info = await attempt("get_disk_info", { vm: vm.name });
    const looked = await attempt("get_vm", { vm: vm.name });
    expect([codeOf(info), codeOf(looked)], name).toEqual(["done", "done"]);
    const grown = await attempt("resize_disk", { vm: vm.name, size_gb: 2 });
    const started = await attempt("start_vm", { vm: vm.name });
    const answers = JSON.stringify([info, grown, started]).slice(0, 3_000);
    if (codeOf(started) === "done") await testbed.call("stop_vm", { vm: vm.name, force: true });
    expect(codeOf(grown), `${name}: ${answers}`).not.toBe("done");
    // Only an image that is whole, but encrypted, gets as far as QEMU, which has no key for it.
    expect(codeOf(started), `${name}: ${answers}`).toBe(
      name === "the old encryption" ? "BACKEND_FAILED" : "BLOCKED_BY_FINDINGS",
    );
  });

  test.each(hostileMedia)(
    "an ISO that is or has %s is refused, or taken for what it boots, by name and by path, and the library is listed",
    async (name, make, expected) => {
      cases++;
      const path = testbed.iso("hostile.iso");
      rmSync(path, { recursive: true, force: true });
      make(path);
      const { isos } = (await testbed.call("list_isos", {})) as { isos: ListedIso[] };
      const listed = isos.find((iso) => iso.path === path);
      for (const iso_path of ["hostile.iso", path]) {
        const attached = await attempt("attach_iso", { vm: vm.name, iso_path });
        const made = await attempt("create_vm", {
          name: testbed.name("iso"),
          iso_path,
          dry_run: true,
          disk_size_gb: 1,
          memory_mb: 64,
        });
        const answers = JSON.stringify([attached, made]);
        expect(answers).not.toMatch(/\\u001b|\\u202e/);
        if ("refused" in expected) {
          const code = iso_path === path ? (expected.byPath ?? expected.refused) : expected.refused;
          expect([codeOf(attached), codeOf(made)], `${name}: ${answers}`).toEqual([code, code]);
          if (code === "BLOCKED_BY_FINDINGS") {
            for (const each of [attached, made]) expect(JSON.stringify(each), name).toMatch(expected.because!);
          }
          continue;
        }
        expect([codeOf(attached), codeOf(made)], `${name}: ${answers}`).toEqual(["done", "done"]);
        for (const each of [attached, made])
          expect(isoFindings(each), `${name}: ${answers}`).toEqual(expected.findings);
        expect(listed).toMatchObject({
          boots_bios: expected.boots.includes("bios"),
          boots_uefi: expected.boots.includes("uefi"),
        });
        expect(listed).not.toHaveProperty("problem");
        if (expected.label) expect(listed?.volume_label).toMatch(expected.label);
        await testbed.call("detach_iso", { vm: vm.name });
      }
      rmSync(path, { recursive: true, force: true });
    },
  );

  test("a socket for an ISO is none", async () => {
    cases++;
    const server = createServer();
    const path = testbed.iso("socket.iso");
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      expect(codeOf(await attempt("attach_iso", { vm: vm.name, iso_path: "socket.iso" }))).toBe("ISO_NOT_FOUND");
      expect(codeOf(await attempt("attach_iso", { vm: vm.name, iso_path: path }))).not.toBe("done");
    } finally {
      server.close();
    }
  });

  test("nothing of all this was a defect", () => {
    expect(testbed.server.stderr()).not.toMatch(/defect|^\s+at /m);
  });
});
