import { expect, test } from "vitest";
import { bootableOf } from "../../src/images/partition.ts";
import { bootSector, EFI_SYSTEM, gptHead, LINUX_DATA } from "./fixture.ts";

const DISK_BYTES = 64 << 20;
const fat = bootSector({ code: true });
fat[446] = 0x31;
fat.write("FAT32", 82);
const ntfs = bootSector({ code: true });
ntfs[446] = 0x31;
const noProtection = gptHead(EFI_SYSTEM).fill(0, 0, 512);

const table: [name: string, head: Buffer, bootsBios: boolean, bootsUefi: boolean | undefined][] = [
  ["zeros", Buffer.alloc(65_536), false, false],
  ["nothing", Buffer.alloc(0), false, false],
  ["half a sector", bootSector({ code: true }).subarray(0, 256), false, false],
  ["55AA and code", bootSector({ code: true }), true, false],
  ["55AA without code", bootSector(), false, false],
  ["code without 55AA", bootSector({ code: true, signature: false }), false, false],
  ["an MBR table that was only partitioned", bootSector({ types: [0x83] }), false, false],
  ["an MBR with code and Linux", bootSector({ code: true, types: [0x83] }), true, false],
  ["an MBR with type EF", bootSector({ types: [0x83, 0xef] }), false, true],
  ["an MBR with an extended partition", bootSector({ types: [0x83, 0x05] }), false, undefined],
  ["a FAT over the whole disk", fat, true, undefined],
  ["an NTFS over the whole disk", ntfs, true, false],
  ["a GPT with an EFI system partition", gptHead(EFI_SYSTEM), false, true],
  ["a GPT without one", gptHead(LINUX_DATA), false, false],
  ["a GPT for sectors of 4096 bytes", gptHead(EFI_SYSTEM, { sectorBytes: 4096, last: 3000n }), false, true],
  ["a GPT without a protective MBR", noProtection, false, false],
  ["a GPT whose partition ends behind the disk", gptHead(EFI_SYSTEM, { last: 1n << 40n }), false, false],
  ["a GPT whose partition ends before it begins", gptHead(EFI_SYSTEM, { last: 5n }), false, false],
  ["a GPT whose entries lie beyond what was read", gptHead(EFI_SYSTEM, { entriesAt: 4000 }), false, undefined],
  ["a GPT whose entries lie behind the disk", gptHead(EFI_SYSTEM, { entriesAt: 2 ** 40 }), false, false],
  ["a GPT whose entries lie on its header", gptHead(EFI_SYSTEM, { entriesAt: 1 }), false, false],
];

test.each(table)("bootableOf() judges %s", (_name, head, bootsBios, bootsUefi) => {
  const facts = bootableOf(head, DISK_BYTES);
  expect(facts.bootsBios).toBe(bootsBios);
  expect(facts.bootsUefi).toBe(bootsUefi);
});

test("bootableOf() of a GPT header of random bytes says yes, no or unknown for UEFI, and no for BIOS", () => {
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed & 0xff;
  };
  const seen = new Set<boolean | undefined>();
  for (let round = 0; round < 500; round += 1) {
    const head = gptHead(EFI_SYSTEM);
    for (let at = 520; at < 600; at += 1) if (next() < 40) head[at] = next();
    const { bootsBios, bootsUefi, ...rest } = bootableOf(head, DISK_BYTES);
    expect([bootsBios, rest]).toEqual([false, {}]);
    seen.add(bootsUefi);
  }
  expect([...seen].sort()).toEqual([false, true, undefined]);
});
