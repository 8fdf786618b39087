/** The table of findings, held against what the boot rules find. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { findingsOf } from "../../../src/domain/model/boot-rules.ts";
import { type Finding, type FindingCode, findingCodes } from "../../../src/domain/model/finding.ts";
import type { State } from "../../../src/domain/model/state.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import { biosDisk, offWith } from "../fixture.ts";
import { table } from "./finding-table.ts";
import { installed, usage } from "./finding-table-disks.ts";

const codesOf = (given: State) => findingsOf(given).map(({ code }) => code);
const rowsOf = (key: "when" | "not") =>
  table.flatMap((row) => Object.entries(row[key]).map(([what, given]) => [row.code, what, given] as const));
const findingIn = (given: State, code: FindingCode): Finding => findingsOf(given).find((found) => found.code === code)!;

describe("findingsOf() findings", () => {
  test("findingsOf() has a case here for every finding there is", () => {
    expect(table.map(({ code }) => code)).toEqual([...findingCodes]);
  });

  test.each(rowsOf("when"))("%s appears: %s", (code, _what, given) => {
    expect(codesOf(given)).toContain(code);
    expect(codesOf(given).filter((found) => found === code)).toHaveLength(1);
  });

  test.each(rowsOf("not"))("%s does not appear: %s", (code, _what, given) => {
    expect(codesOf(given)).not.toContain(code);
  });

  test.each(table)("$code blocks $blocks", ({ code, blocks, overridable = true, fixes, when }) => {
    const found = findingIn(Object.values(when)[0]!, code);
    expect(found.blocks).toEqual(blocks);
    expect(found.overridable).toBe(overridable);
    expect(found.fixes.map(({ tool }) => tool)).toEqual(fixes);
  });

  test("findingsOf() finds nothing about an installed VM that boots from its disk", () => {
    expect(
      findingsOf({ ...installed(offWith("hd", { disk: biosDisk })), usage: usage({}), freeBytes: 50 * 1024 ** 3 }),
    ).toEqual([]);
  });

  test("findingsOf() names the cause of each device in NOTHING_BOOTS", () => {
    expect(findingIn(offWith("cdrom_hd", {}), "NOTHING_BOOTS").message).toBe(
      "cdrom:sda: the tray is empty; disk:vda: the disk is blank",
    );
  });

  test("findingsOf() names the other VM or file", () => {
    const given = offWith("hd", { disk: { ...biosDisk, backingMissing: "/images/base.qcow2" } });
    const text = JSON.stringify(
      findingsOf({ ...given, usage: usage({ inUseBy: ["db"], clones: ["clone-1", "clone-2"] }) }),
    );
    for (const name of ["db", "clone-1, clone-2", "/images/base.qcow2"]) expect(text).toContain(name);
  });

  test("findingsOf() says of a loop whether it is the next start or the guest's own reboot", () => {
    const row = table.find(({ code }) => code === "INSTALLER_LOOP")!;
    const said = Object.values(row.when).map((given) => findingIn(given, "INSTALLER_LOOP").message);
    expect(said[0]).toContain("the next start");
    expect(said.at(-1)).toContain("the guest's next reboot");
  });

  test("findingsOf() says nothing of the order of a VM that starts a kernel of its own", () => {
    expect(codesOf(offWith("cdrom", {}, { directKernel: true }))).toEqual(["DIRECT_KERNEL_BOOT"]);
  });

  test("findingsOf() speaks of the drive that holds the missing ISO", () => {
    const row = table.find(({ code }) => code === "ISO_MISSING")!;
    const [first, second] = Object.values(row.when).map((given) => findingIn(given, "ISO_MISSING").fixes[0]!.arguments);
    expect(first).not.toHaveProperty("drive");
    expect(second).toMatchObject({ drive: "sdb" });
  });
});

describe("findingsOf() fixes", () => {
  test.each(rowsOf("when"))("%s names fixes that can be called as they are: %s", (code, _what, given) => {
    for (const fix of findingIn(given, code).fixes) {
      const tool = allTools.find(({ name }) => name === fix.tool);
      expect(tool, `There is no tool "${fix.tool}"`).toBeDefined();
      expect(z.strictObject(tool!.input.shape).safeParse(fix.arguments).error?.issues ?? []).toEqual([]);
      // What mends a disk in use is to stop the other VM.
      const about = code === "DISK_IN_USE" ? `${given.target.connection}/db` : given.target.uuid;
      // What a lost database is rebuilt by is no matter of one VM.
      if (fix.tool !== "rebuild_database") expect(fix.arguments.vm).toBe(about);
    }
  });

  // A fix that leads from one refusal into the next is none.
  test("findingsOf() advises no order that would be refused at once", () => {
    for (const [, , given] of rowsOf("when")) {
      for (const { fixes } of findingsOf(given)) {
        for (const { tool, arguments: args } of fixes)
          if (tool === "set_boot_order") expect(args.boot_order).not.toBe("cdrom");
      }
    }
  });
});
