/** A VM to be made, for the tests. */
import type { DomainSpec } from "../../../plugins/libvirt/domain-xml.ts";

export const uuid = "3d1a8a52-0b3b-4d5e-9f1a-6f2f5d8c7e10";
export const claim = { uuid, revision: 7, status: "Installing" } as const;

export const spec = (more: Partial<DomainSpec> = {}): DomainSpec => ({
  uuid,
  name: "web",
  memoryBytes: 256 * 1024 ** 2,
  cpus: 2,
  firmware: "bios",
  tpm: false,
  diskPath: "/srv/images/web & co.qcow2",
  diskBus: "virtio",
  diskTarget: "vda",
  driveTarget: "sda",
  network: "user",
  order: "hd_cdrom",
  isoPath: "/srv/iso/installer.iso",
  serialLog: "/srv/log/web.log",
  accelerator: "tcg",
  claim,
  ...more,
});
