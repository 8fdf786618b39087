/** What another order would boot is what is predicted once the VM has it. */
import { describe, expect, it } from "vitest";
import { predictOrder } from "../../../src/domain/model/boot-forecast.ts";
import { bootWith, presetOrders } from "../../../src/domain/model/boot-order.ts";
import { bootReport } from "../../../src/domain/model/boot-rules.ts";
import { rolesFor } from "../../../src/domain/model/roles.ts";
import { definition, deviceBoot, drive, ISO, osBoot, state, vm } from "../fixture.ts";

const styles = {
  "by classes": osBoot("cdrom", "hd"),
  "by devices": deviceBoot({ "cdrom:sda": 1, "disk:vda": 2 }),
  "with a network card first": deviceBoot({ "network:52:54:00:00:00:01": 1, "disk:vda": 2 }),
};

describe("predictOrder()", () => {
  it.each(Object.entries(styles))("says what comes of each order once it is set, in a definition %s", (_name, boot) => {
    const now = state({ vm: vm({ next: definition({ boot, drives: [drive({ path: ISO })] }) }) });
    for (const order of presetOrders) {
      const { next } = now.vm!;
      const then = { ...now, vm: { ...now.vm!, next: { ...next, boot: bootWith(next, rolesFor(now), order) } } };
      expect(predictOrder(now, order)).toEqual(bootReport(then).coldStart);
    }
  });

  it("is a defect for a VM that is not there", () => {
    const { vm: _gone, ...left } = state();
    expect(() => predictOrder(left, "hd")).toThrow(TypeError);
  });
});
