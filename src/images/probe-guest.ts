/** A guest that shows whether guests run. It does what boot loaders and kernels do first. Writing a byte alone proves
 * too little: with a KVM that emulates unpaged code (on a host that is itself a guest, for example) it works, but the
 * first boot loader's `iret` in protected mode ends in an internal error. */

/** SeaBIOS reads nothing from a disk smaller than a cylinder. */
const DISK_BYTES = 1024 ** 2;

/** x86, at 0x7C00. Real mode: `lgdt`, CR0.PE. Protected mode: `iret` to itself; a page table of one 2 MiB page,
 * CR4.PAE, EFER.LME by `rdmsr` and `wrmsr`, CR0.PG. Long mode: `cpuid`; "K" to the first serial port (0x3F8); "K" to
 * port 0xF4, where QEMU's isa-debug-exit may be; `hlt` for ever. Behind it the descriptor table. */
const CODE = [
  "fa31c08ed88ec08ed0bc00700f0116c07c0f20c00c010f22c0ea1e7c0800",
  "66b810008ed88ec08ed0bc007000009c6a0868367c0000cfbf001000000f22df31c0b9000c0000f3ab",
  "c7050010000003200000c7050020000003300000c70500300000830000000f20e00c200f22e0",
  "b9800000c00f3280cc010f300f20c00d000000800f22c0ea8b7c00001800",
  "31c00fa266baf803b04beee6f4f4ebfd0f1f4400000000000000000000ff",
  "ff0000009acf00ffff00000092cf0000000000009a20001f00a07c0000",
];

/** What this guest proves; a cached answer of another probe guest does not count. */
export const PROBE_SHOWS = "long mode";
/** Port of QEMU's isa-debug-exit device that ends the guest once it has given its sign. */
export const PROBE_EXIT_PORT = 0xf4;
/** The text that the guest writes to its first serial port. */
export const PROBE_SIGN = "K";

/** The guest's disk, a raw image. */
export function probeDisk(): Buffer {
  const disk = Buffer.alloc(DISK_BYTES);
  Buffer.from(CODE.join(""), "hex").copy(disk);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}
