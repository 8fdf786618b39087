import { describe, expect, it } from "vitest";
import memory from "../../plugins/memory/index.ts";
import type { Plugin } from "../../src/plugin.ts";
import { groupNames } from "../../src/plugin-host/backend-calls.ts";
import { capabilitiesOf } from "../../src/plugin-host/backends.ts";

const { manifest } = memory;
const backend = memory.backend as NonNullable<Plugin["backend"]>;
const isGroup = (name: string) => groupNames.some((group) => group === name);
const core = Object.fromEntries(Object.entries(backend).filter(([name]) => !isGroup(name))) as typeof backend;

describe("capabilitiesOf() reads from a definition alone", () => {
  it("which changes it can make, and what they do to a running VM", () => {
    expect(capabilitiesOf({ manifest, backend: { ...core, changes: {} } })).toEqual({
      backend: "memory",
      groups: [],
      changes: {},
    });
    expect(capabilitiesOf({ manifest, backend }).changes).toMatchObject({
      "boot_order.set": { running: "next_start" },
    });
  });

  it("which groups it has, in one order", () => {
    const { events, guest } = backend;
    expect(capabilitiesOf({ manifest, backend: { ...core, events: events!, guest: guest! } }).groups).toEqual([
      "guest",
      "events",
    ]);
  });
});
