import { describe, expect, test } from "vitest";
import { infoFrom, untrustedText } from "../../../plugins/libvirt/guest.ts";

describe("infoFrom()", () => {
  test("says what system it is, and which file system lies on which of the VM's disks", () => {
    const said = {
      "os.id": "debian",
      "os.name": "Debian GNU/Linux",
      "os.pretty-name": "Debian GNU/Linux 12 (bookworm)",
      "fs.count": 2,
      "fs.0.mountpoint": "/",
      "fs.0.fstype": "ext4",
      "fs.0.disk.count": 2,
      "fs.0.disk.0.alias": "vda",
      "fs.0.disk.1.alias": "vda",
      "fs.1.mountpoint": "/run/overlay",
      "fs.1.fstype": "overlay",
      "fs.1.disk.count": 1,
      "fs.1.disk.0.device": "/dev/loop0",
    };
    expect(infoFrom(said)).toEqual({
      osId: "debian",
      osName: "Debian GNU/Linux 12 (bookworm)",
      filesystems: [
        { mountpoint: "/", type: "ext4", disks: ["vda"] },
        { mountpoint: "/run/overlay", type: "overlay", disks: [] },
      ],
    });
    expect(infoFrom({ "os.name": "Microsoft Windows" })).toEqual({ osName: "Microsoft Windows", filesystems: [] });
  });

  test("bounds what a guest says: texts, file systems, disks, and counts that are none", () => {
    const many = { "fs.count": 1_000_000, "fs.0.mountpoint": "x".repeat(9_999), "fs.0.disk.count": 1_000_000 };
    const aliases = Object.fromEntries(
      Array.from({ length: 999 }, (_, disk) => [`fs.0.disk.${disk}.alias`, `vd${disk}`]),
    );
    const { filesystems } = infoFrom({ ...many, ...aliases, "os.id": "" });
    expect(filesystems).toHaveLength(64);
    expect(filesystems[0]!.mountpoint).toHaveLength(256);
    expect(filesystems[0]!.disks).toHaveLength(64);
    for (const count of [-1, "3", Number.NaN, 5n]) expect(infoFrom({ "fs.count": count }).filesystems).toEqual([]);
  });
});

test("untrustedText() leaves nothing that steers a screen or turns a line around", () => {
  expect(untrustedText("\u001b[2J\u0000/mnt\r\n\u202egnp.exe\u2028\u0085")).toBe("[2J/mntgnp.exe");
  expect(untrustedText(`${"x".repeat(255)}\u{1f600}`)).toBe(`${"x".repeat(255)}\ufffd`);
  expect(untrustedText("\n")).toBeUndefined();
  expect(untrustedText(7)).toBeUndefined();
});
