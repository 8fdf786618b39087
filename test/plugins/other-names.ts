/** Further names of a file: a hard link and a symbolic link beside it, a link to its directory, and, where this user may, the
 * directory mounted once more. */
import { link, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";

export type OtherNames = Readonly<{
  of: (path: string) => Promise<readonly string[]>;
  /** Closing twice does nothing more. */
  close: () => Promise<void>;
}>;

export async function openOtherNames(): Promise<OtherNames> {
  const directory = await mkdtemp(join(tmpdir(), "bootwright-names-"));
  const mounted: string[] = [];
  const left: string[] = [];
  let count = 0;
  return {
    async of(path) {
      const hard = join(dirname(path), `${crypto.randomUUID()}.qcow2`);
      const soft = join(dirname(path), `${crypto.randomUUID()}.qcow2`);
      await link(path, hard);
      await symlink(path, soft);
      left.push(soft);
      const linked = join(directory, `link-${++count}`);
      await symlink(dirname(path), linked);
      const names = [hard, soft, join(linked, basename(path))];
      if (process.getuid?.() !== 0) return names;
      const place = join(directory, `mount-${count}`);
      await mkdir(place);
      await execa("mount", ["--bind", dirname(path), place]);
      mounted.push(place);
      return [...names, join(place, basename(path))];
    },
    async close() {
      for (const place of mounted.splice(0)) await execa("umount", [place]);
      for (const path of left) await rm(path, { force: true });
      await rm(directory, { recursive: true, force: true });
    },
  };
}
