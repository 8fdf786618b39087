/** Boot orders of any definition: what is written reads back, and nothing else is lost on the way. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bootOrderOf, bootWith, type PresetOrder, presetOrders } from "../../../src/domain/model/boot-order.ts";
import type { BootConfig, Roles, VmDefinition } from "../../../src/domain/model/vm.ts";
import { definition, disk, drive, osBoot } from "../fixture.ts";

/** Any definition of up to three disks and drives, in either style, with other devices ahead, between and behind. */
const anyDefinition: fc.Arbitrary<{ given: VmDefinition; roles: Roles }> = fc
  .record({ disks: fc.integer({ min: 1, max: 3 }), drives: fc.integer({ min: 1, max: 3 }) })
  .chain(({ disks, drives }) => {
    const diskTargets = ["vda", "vdb", "vdc"].slice(0, disks);
    const driveTargets = ["sda", "sdb", "sdc"].slice(0, drives);
    const refs = [
      ...diskTargets.map((t) => `disk:${t}`),
      ...driveTargets.map((t) => `cdrom:${t}`),
      "network:aa",
      "network:bb",
      "hostdev:0",
    ];
    const classes = fc
      .subarray(["class:hd", "class:cdrom", "class:network", "class:fd"], { minLength: 1 })
      .chain((list) => fc.shuffledSubarray(list, { minLength: 1 }));
    const byDevice = fc
      .shuffledSubarray(refs)
      .chain((list) =>
        fc
          .uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: list.length, maxLength: list.length })
          .map((numbers) => ({ list, numbers })),
      )
      .map(
        ({ list, numbers }): BootConfig => ({
          style: "device",
          entries: list.map((device, index) => ({ device, order: numbers[index]! })),
        }),
      );
    return fc.record({
      given: fc
        .oneof(
          classes.map((list) => osBoot(...list)),
          byDevice,
        )
        .map((boot) =>
          definition({
            disks: diskTargets.map((t) => disk({ target: t })),
            drives: driveTargets.map((t) => drive({ target: t })),
            boot,
          }),
        ),
      roles: fc.record({ systemDisk: fc.constantFrom(...diskTargets), isoDrive: fc.constantFrom(...driveTargets) }),
    });
  });
const anyCase = fc.tuple(anyDefinition, fc.constantFrom(...presetOrders));
const check = (property: (given: VmDefinition, roles: Roles, order: PresetOrder, made: BootConfig) => unknown) =>
  fc.assert(
    fc.property(anyCase, ([{ given, roles: named }, order]) => {
      property(given, named, order, bootWith(given, named, order));
    }),
    { numRuns: 2000 },
  );
const numbersOf = (boot: BootConfig) => new Map(boot.entries.map(({ device, order }) => [device, order]));

describe("bootWith() of any definition", () => {
  test("bootWith() reads back as the order that was asked for", () => {
    check((given, named, order, boot) => expect(bootOrderOf({ ...given, boot }, named).order).toBe(order));
  });

  test("bootWith() keeps every other device, in the order it had", () => {
    check((given, named, _order, boot) =>
      expect(bootOrderOf({ ...given, boot }, named).others).toEqual(bootOrderOf(given, named).others),
    );
  });

  test("bootWith() numbers from 1 up and no device like another", () => {
    check((_given, _named, _order, { entries }) => {
      const numbers = entries.map(({ order }) => order);
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(Math.min(...numbers)).toBeGreaterThanOrEqual(1);
      expect(new Set(entries.map(({ device }) => device)).size).toBe(entries.length);
    });
  });

  test("bootWith() changes nothing about an order that is already so and can be named", () => {
    check((given, named, _order, made) => expect(bootWith({ ...given, boot: made }, named, _order)).toEqual(made));
  });

  test("bootWith() never turns per-device order into the os style, and the other way only where it must", () => {
    check((given, named, order, boot) => {
      if (given.boot.style === "device") return expect(boot.style).toBe("device");
      const first = {
        hd: given.disks[0]!.target === named.systemDisk,
        cdrom: given.drives[0]!.target === named.isoDrive,
      };
      const must = order.split("_").some((role) => !first[role as "hd" | "cdrom"]);
      return expect(boot.style).toBe(must ? "device" : "os");
    });
  });

  // Every device that changes is one call to the hypervisor; one that keeps its number needs none.
  test("bootWith() changes as few devices as can be while the other devices stand behind ours", () => {
    check((given, named, order, boot) => {
      const ours = order
        .split("_")
        .map((role) => (role === "hd" ? `disk:${named.systemDisk}` : `cdrom:${named.isoDrive}`));
      const held = numbersOf(given.boot);
      const others = given.boot.entries.filter(
        ({ device }) => device !== `disk:${named.systemDisk}` && device !== `cdrom:${named.isoDrive}`,
      );
      const room = Math.min(20, ...others.map(({ order: number }) => number)) - 1;
      if (given.boot.style !== "device" || room < ours.length) return;
      const made = numbersOf(boot);
      const changed = ours.filter((device) => made.get(device) !== held.get(device)).length;
      const pairs = Array.from({ length: room }, (_, i) => i + 1).flatMap((a) =>
        ours.length === 1 ? [[a]] : Array.from({ length: room - a }, (_, i) => [a, a + i + 1]),
      );
      const fewest = Math.min(
        ...pairs.map((numbers) => ours.filter((device, i) => held.get(device) !== numbers[i]).length),
      );
      expect(changed).toBe(fewest);
      for (const { device, order: number } of others) expect(made.get(device)).toBe(number);
    });
  });
});
