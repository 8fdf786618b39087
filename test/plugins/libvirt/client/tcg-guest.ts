// A guest of 512 bytes under TCG: it writes one sector of its disk after the other,
// for ever. Every domain has a name of these tests and is removed after them.

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Domain, Libvirt } from "../../../../plugins/libvirt/client/libvirt.ts";

export const DISK_BYTES = 4 * 1024 * 1024;

/** 16-bit code: INT 13h, AH=43h (extended write) of the sector at 7C00h; the address goes up by 8 sectors each time. */
const CODE = "31c08ed88ed0bc007cbe207cb80043b280cd138106287c0800ebee9090909090";
/** What to write where: one sector from 0000:7C00h to sector 100. It follows the code. */
const ADDRESS_PACKET = "10000100007c00006400000000000000";

/** Says nothing, and writes through the first disk. */
export function writingSector(): Buffer {
  const sector = Buffer.alloc(512);
  Buffer.from(CODE + ADDRESS_PACKET, "hex").copy(sector);
  sector.writeUInt16BE(0x55aa, 510);
  return sector;
}

export interface Guest {
  readonly domain: Domain;
  readonly directory: string;
  readonly iso: string;
  cdrom(source?: string): string;
  remove(): Promise<void>;
}

/** Defines a guest with a disk "vda", an empty CD-ROM "sda" and a channel for an agent that it does not have. */
export async function defineGuest(libvirt: Libvirt, name: string): Promise<Guest> {
  const directory = await mkdtemp(join(tmpdir(), "bootwright-guest-"));
  await chmod(directory, 0o755);
  const disk = join(directory, "disk.raw");
  const iso = join(directory, "some.iso");
  await writeFile(disk, Buffer.concat([writingSector(), Buffer.alloc(DISK_BYTES - 512)]));
  await writeFile(iso, Buffer.alloc(2048 * 16));
  const cdrom = (source?: string) =>
    `<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>${source ? `<source file='${source}'/>` : ""}
     <target dev='sda' bus='sata'/><readonly/></disk>`;
  const domain = await libvirt.domainDefineXmlFlags(`<domain type='qemu'><name>${name}</name>
    <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
    <devices>
      <disk type='file' device='disk'><driver name='qemu' type='raw' error_policy='stop'/><source file='${disk}'/>
        <target dev='vda' bus='virtio'/></disk>
      ${cdrom()}
      <controller type='usb' model='qemu-xhci'/>
      <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    </devices></domain>`);
  const remove = async () => {
    if (await libvirt.domainIsActive(domain)) await libvirt.domainDestroyFlags(domain);
    await libvirt.domainUndefineFlags(domain);
    await rm(directory, { recursive: true, force: true });
  };
  return { domain, directory, iso, cdrom, remove };
}
