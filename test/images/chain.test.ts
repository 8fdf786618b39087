import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { walkChain } from "../../src/images/chain.ts";
import { directory, type HeaderParts, makeQcow2, qcow2Header, qemuImg, writeFile } from "./fixture.ts";

const DATA_FILE = 0x44415441;
const BACKING_FORMAT = 0xe2792aca;

describe("walkChain()", () => {
  test("follows relative and absolute names of real images, from the image to its last backing file", async () => {
    const at = directory();
    const base = makeQcow2(join(at, "base.qcow2"));
    const middle = join(at, "middle.qcow2");
    const top = join(at, "top.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", middle);
    qemuImg("create", "-q", "-f", "qcow2", "-b", middle, "-F", "qcow2", top);
    const chain = await walkChain(top, [at]);
    expect(chain).toMatchObject({ files: [top, middle, base], corrupt: false });
    expect(chain.refused ?? chain.missing).toBeUndefined();
  });

  test("counts a link as the file that it leads to", async () => {
    const at = directory();
    const base = makeQcow2(join(at, "base.qcow2"));
    symlinkSync(base, join(at, "link.qcow2"));
    const top = writeFile(join(at, "top.qcow2"), qcow2Header({ backing: "link.qcow2" }));
    expect((await walkChain(top, [at])).files).toEqual([top, base]);
  });

  test("lists an external data file right after its image", async () => {
    const at = directory();
    const data = join(at, "data.raw");
    const image = makeQcow2(join(at, "image.qcow2"), "16M", "-o", `data_file=${data}`);
    expect((await walkChain(image, [at])).files).toEqual([image, data]);
  });

  test("does not look into a backing file that is stated to be raw, whatever the guest wrote into it", async () => {
    const at = directory();
    const base = writeFile(join(at, "base.raw"), qcow2Header({ backing: "/etc/shadow" }));
    const top = writeFile(
      join(at, "top.qcow2"),
      qcow2Header({ backing: base, extensions: [[BACKING_FORMAT, Buffer.from("raw")]] }),
    );
    const chain = await walkChain(top, [at]);
    expect(chain.files).toEqual([top, base]);
    expect(chain.refused).toBeUndefined();
  });

  test("looks into a backing file without a stated format, as QEMU would", async () => {
    const at = directory();
    const base = writeFile(join(at, "base.raw"), qcow2Header({ backing: "/etc/shadow" }));
    const top = writeFile(join(at, "top.qcow2"), qcow2Header({ backing: base }));
    expect((await walkChain(top, [at])).refused).toMatch(/outside/);
  });

  test("names a backing file that is not there", async () => {
    const at = directory();
    const top = writeFile(join(at, "top.qcow2"), qcow2Header({ backing: "gone.qcow2" }));
    expect(await walkChain(top, [at])).toMatchObject({ files: [top], missing: join(at, "gone.qcow2") });
  });

  const refused: [name: string, parts: HeaderParts, reason: RegExp][] = [
    ["an absolute backing file outside", { backing: "/etc/hostname" }, /outside/],
    ["a backing file outside that does not exist, in the same words", { backing: "/nowhere/x" }, /outside/],
    ["a backing file reached by ..", { backing: "../../etc/hostname" }, /outside/],
    ["a json: name", { backing: 'json:{"driver":"file","filename":"/etc/shadow"}' }, /not a file path/],
    ["an nbd: name", { backing: "nbd://127.0.0.1:10809/x" }, /not a file path/],
    ["a data file outside", { incompatible: 4n, extensions: [[DATA_FILE, Buffer.from("/etc/hostname")]] }, /outside/],
    ["a data file outside, the bit not set", { extensions: [[DATA_FILE, Buffer.from("/etc/hostname")]] }, /outside/],
    ["a data file without a name", { incompatible: 4n }, /does not name/],
    ["a vmdk backing format", { backing: "x", extensions: [[BACKING_FORMAT, Buffer.from("vmdk")]] }, /format/],
    ["itself as its backing file", { backing: "top.qcow2" }, /loop/],
    ["a directory as its backing file", { backing: "folder" }, /not a regular file/],
    ["a malformed header", { version: 9 }, /not a valid qcow2/],
  ];
  test.each(refused)("refuses %s", async (_name, parts, reason) => {
    const at = directory();
    writeFile(join(at, "folder", "file"));
    const top = writeFile(join(at, "top.qcow2"), qcow2Header(parts));
    const chain = await walkChain(top, [at]);
    expect(chain.refused).toMatch(reason);
    expect(chain.files).toEqual([top]);
  });

  test("refuses a link inside that leads outside", async () => {
    const at = directory();
    symlinkSync("/etc/hostname", join(at, "base"));
    const top = writeFile(join(at, "top.qcow2"), qcow2Header({ backing: "base" }));
    expect((await walkChain(top, [at])).refused).toMatch(/outside/);
  });

  test("refuses a loop over several files, and a chain of more than 64", async () => {
    const at = directory();
    const first = writeFile(join(at, "0"), qcow2Header({ backing: "1" }));
    for (let index = 1; index < 100; index += 1)
      writeFile(join(at, String(index)), qcow2Header({ backing: String(index + 1) }));
    expect(await walkChain(first, [at])).toMatchObject({ refused: expect.stringMatching(/more than 64/) });
    writeFile(join(at, "5"), qcow2Header({ backing: "2" }));
    expect((await walkChain(first, [at])).refused).toMatch(/loop/);
  });

  test("refuses text that VMDK descriptors begin with: they name files as well", async () => {
    const at = directory();
    const base = writeFile(join(at, "base"), '# Disk DescriptorFile\nRW 1 FLAT "/etc/shadow" 0\n');
    const top = writeFile(join(at, "top.qcow2"), qcow2Header({ backing: base }));
    expect((await walkChain(top, [at])).refused).toMatch(/vmdk/);
  });

  test("has a version that changes with any file of the chain", async () => {
    const at = directory();
    const base = writeFile(join(at, "base"), "one");
    const top = writeFile(join(at, "top.qcow2"), qcow2Header({ backing: "base" }));
    const { version } = await walkChain(top, [at]);
    expect((await walkChain(top, [at])).version).toBe(version);
    writeFile(base, "longer");
    expect((await walkChain(top, [at])).version).not.toBe(version);
  });
});
