import { describe, expect, test } from "vitest";
import { addressOf } from "../../../../plugins/libvirt/client/libvirt.ts";

const user = { XDG_RUNTIME_DIR: "/run/user/1000", HOME: "/home/me" };

describe("addressOf()", () => {
  test.each<[string, string[], NodeJS.ProcessEnv, string, string]>([
    [
      "qemu:///system",
      ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"],
      user,
      "/run/libvirt/libvirt-sock",
      "qemu:///system",
    ],
    ["qemu:///system", ["/var/run/libvirt/libvirt-sock"], user, "/var/run/libvirt/libvirt-sock", "qemu:///system"],
    ["qemu:///system", ["/run/libvirt/virtqemud-sock"], user, "/run/libvirt/virtqemud-sock", "qemu:///system"],
    ["qemu:///system", [], user, "/run/libvirt/libvirt-sock", "qemu:///system"],
    ["qemu+unix:///system", [], user, "/run/libvirt/libvirt-sock", "qemu:///system"],
    ["qemu:///session", [], user, "/run/user/1000/libvirt/libvirt-sock", "qemu:///session"],
    [
      "qemu:///session",
      ["/run/user/1000/libvirt/virtqemud-sock"],
      user,
      "/run/user/1000/libvirt/virtqemud-sock",
      "qemu:///session",
    ],
    ["qemu:///session", [], { HOME: "/home/me" }, "/home/me/.cache/libvirt/libvirt-sock", "qemu:///session"],
    ["test:///default", ["/run/libvirt/virtqemud-sock"], user, "/run/libvirt/libvirt-sock", "test:///default"],
    ["qemu:///system?socket=/tmp/a%20b/sock", [], user, "/tmp/a b/sock", "qemu:///system"],
  ])("addressOf() leads %s with sockets %j to its socket", (uri, sockets, environment, socketPath, name) => {
    expect(addressOf(uri, environment, (path) => sockets.includes(path))).toEqual({ socketPath, name });
  });

  test.each([
    "qemu+ssh://host/system",
    "qemu+tls://host/system",
    "qemu+tcp://host/system",
    "qemu://host/system",
    "qemu://user@/system",
    "qemu:///embed?root=/tmp",
    "xen:///system",
    "qemu:///system?socket=relative",
    "qemu:///system?command=/bin/sh",
    "",
    "qemu",
  ])("addressOf() refuses %j and says what is accepted", (uri) => {
    expect(() => addressOf(uri, user, () => true)).toThrow(/Accepted: qemu:\/\/\/system/);
  });
});
