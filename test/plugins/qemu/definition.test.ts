import { describe, expect, it } from "vitest";
import {
  asDomain,
  changed,
  meaningOf,
  newDefinition,
  readDefinition,
  writtenDefinition,
} from "../../../plugins/qemu/definition.ts";
import { pathsOf, requireRoom } from "../../../plugins/qemu/vm-paths.ts";
import { definitionFor, targetsFor, type VmSpec } from "../../../src/domain/changes/lifecycle.ts";
import { uuid, vmSpec } from "../../support/world.ts";

const made = (more: Partial<VmSpec> = {}) => newDefinition(vmSpec(more), "tcg");
const edited = (edit: (value: Record<string, unknown>) => void, definition = made()) => {
  const value = JSON.parse(writtenDefinition(definition));
  edit(value);
  return () => readDefinition(JSON.stringify(value));
};

describe("newDefinition()", () => {
  it.each(["virtio", "sata", "scsi"] as const)("says of a VM with a %s disk what the domain plans", (diskBus) => {
    const spec = vmSpec({ diskBus, ...targetsFor(diskBus), isoPath: "/isos/a.iso" });
    expect(asDomain(newDefinition(spec, "tcg"))).toMatchObject(definitionFor(spec));
  });
  it.each(["network:default", "bridge:br0"])("refuses the network %s", (network) => {
    expect(() => made({ network })).toThrow(/user or none/);
  });
});

describe("readDefinition()", () => {
  it("reads what was written, all of it", () => {
    const definition = made({ isoPath: "/isos/a.iso", tpm: true, firmware: "uefi" });
    expect(readDefinition(writtenDefinition(definition))).toEqual(definition);
  });
  it("puts devices in the hypervisor's order, whatever order a person wrote them in", () => {
    const read = edited((value) => {
      value.drives = ["sdc", "sdb"].map((target) => ({ target, bus: "sata" }));
    });
    expect(read().drives.map(({ target }) => target)).toEqual(["sdb", "sdc"]);
  });
  it.each<[string, (value: Record<string, unknown>) => void, RegExp]>([
    ["a key that nobody knows", (value) => Object.assign(value, { memory: 1 }), /memory/],
    ["another format", (value) => Object.assign(value, { format: 2 }), /format/],
    ["a relative path", (value) => Object.assign(value, { serialLog: "a.log" }), /serialLog: an absolute path/],
    [
      "a target twice",
      (value) => Object.assign(value, { drives: [1, 2].map(() => ({ target: "sdb", bus: "sata" })) }),
      /target 'sdb' duplicated/,
    ],
    [
      "a SATA port that is not there",
      (value) => Object.assign(value, { drives: [{ target: "sdg", bus: "sata" }] }),
      /sda to sdf/,
    ],
    [
      "both styles of boot order",
      (value) => Object.assign(value, { boot: { style: "os", entries: [{ device: "disk:vda", order: 1 }] } }),
      /cannot be used together/,
    ],
  ])("refuses %s, and says what", (_what, edit, words) => {
    expect(edited(edit)).toThrow(words);
  });
  it("refuses what is no JSON", () => {
    expect(() => readDefinition("{")).toThrow(SyntaxError);
  });
});

describe("changed()", () => {
  it("boots the disk where no entry is left, as libvirt would", () => {
    expect(changed(made(), { boot: { style: "device", entries: [] } }).boot).toEqual({
      style: "os",
      entries: [{ device: "class:hd", order: 1 }],
    });
  });
});

describe("meaningOf()", () => {
  it("is another for every edit but the claim tag's, whatever order the keys stand in", () => {
    const definition = made();
    const { claim: _tag, ...untagged } = definition;
    const turned = Object.fromEntries(Object.entries(definition).reverse()) as typeof definition;
    expect(meaningOf(untagged)).toBe(meaningOf(definition));
    expect(meaningOf(turned)).toBe(meaningOf(definition));
    expect(meaningOf({ ...definition, cpus: definition.cpus + 1 })).not.toBe(meaningOf(definition));
  });
});

describe("requireRoom()", () => {
  it("refuses a directory below which a socket's path would be too long", () => {
    const long = `/${"d".repeat(80)}`;
    expect(() => requireRoom(long, "local")).toThrow(expect.objectContaining({ code: "PLUGIN_CONFIG_INVALID" }));
    expect(() => requireRoom("/home/somebody/.local/state/bootwright/qemu/local", "local")).not.toThrow();
  });
  it("looks at the longest of the sockets' names", () => {
    const { vnc, qmp, agent, serial, tpmSocket } = pathsOf("/d", uuid);
    expect(Math.max(...[vnc, qmp, serial, tpmSocket].map((path) => path.length))).toBeLessThanOrEqual(agent.length);
  });
});
