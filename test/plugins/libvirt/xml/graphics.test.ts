import { expect, it } from "vitest";
import { vncOf } from "../../../../plugins/libvirt/xml/graphics.ts";

const domain = (...devices: string[]) => `<domain><devices>${devices.join("")}</devices></domain>`;

it.each([
  [
    "a socket",
    `<graphics type='vnc' socket='/run/vnc'><listen type='socket' socket='/run/vnc'/></graphics>`,
    { path: "/run/vnc" },
  ],
  [
    "a port on loopback",
    `<graphics type='vnc' port='5901' autoport='yes' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>`,
    { host: "127.0.0.1", port: 5901 },
  ],
  ["a port on every address", `<graphics type='vnc' port='5900' listen='0.0.0.0'/>`, { host: "127.0.0.1", port: 5900 }],
  ["a port on every address of IPv6", `<graphics type='vnc' port='5900' listen='::'/>`, { host: "::1", port: 5900 }],
  [
    "a network's address",
    `<graphics type='vnc' port='5900'><listen type='network' address='192.168.122.1' network='default'/></graphics>`,
    { host: "192.168.122.1", port: 5900 },
  ],
  ["an older form", `<graphics type='vnc' socket='/run/old'/>`, { path: "/run/old" }],
])("vncOf() finds %s", (_what, graphics, at) => {
  expect(vncOf(domain(`<graphics type='spice' port='5900'/>`, graphics))).toEqual({ at });
});

it("vncOf() gives the password beside it, as it was meant", () => {
  expect(vncOf(domain(`<graphics type='vnc' port='5900' passwd='s&amp;t&quot;&lt;'/>`))).toEqual({
    at: { host: "127.0.0.1", port: 5900 },
    password: 's&t"<',
  });
});

it.each([
  ["has no display", ""],
  ["shows itself by SPICE alone", `<graphics type='spice' port='5900'/>`],
  ["listens nowhere", `<graphics type='vnc'><listen type='none'/></graphics>`],
  ["is off", `<graphics type='vnc' port='-1' autoport='yes'/>`],
])("vncOf() finds nothing where a domain %s", (_what, graphics) => {
  expect(vncOf(domain(graphics))).toBeUndefined();
});
