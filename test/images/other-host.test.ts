/** Goal: all that `Images` does is done on the host that it is given. Method: a host whose image directory is another directory of
 * this one; whatever does not go through it finds nothing under the paths that are used here. */
import { mkdirSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { localHost } from "../../src/host-access/local-host.ts";
import type { ImageHost } from "../../src/images/disk-file.ts";
import { openImages } from "../../src/images/images.ts";
import { temporaryDirectory } from "../store/fixture.ts";

function hostAt(root: string): ImageHost {
  const { files, programs } = localHost;
  const at = (path: string) => (/^\/images(?:\/|$)/.test(path) ? join(root, path) : path);
  const from = (path: string) => `/${relative(root, path)}`;
  return {
    ...localHost,
    space: (path) => localHost.space(at(path)),
    files: {
      realpath: async (path) => from(await files.realpath(at(path))),
      stat: (path) => files.stat(at(path)),
      open: (path, use) => files.open(at(path), use),
      list: (path, countMax) => files.list(at(path), countMax),
      allows: (path, wanted) => files.allows(at(path), wanted),
      accessList: (path) => files.accessList(at(path)),
      create: (path, mode) => files.create(at(path), mode),
      remove: (path) => files.remove(at(path)),
      withTemporaryDirectory: (use) => files.withTemporaryDirectory(use),
    },
    programs: {
      run: (command, args, options) =>
        programs.run(
          command,
          args.map((word) => word.replaceAll("/images/", `${root}/images/`)),
          options,
        ),
    },
  };
}

test("Images are made, read, grown and removed on the host that they are on", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "images"));
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const images = openImages({ host: hostAt(root), imageDirectory: "/images", signal: ending.signal });
  const path = "/images/web.qcow2";
  await images.createDisk(path, 64 * 1024 ** 2);
  expect(readdirSync(join(root, "images"))).toEqual(["web.qcow2"]);
  await expect(images.createDisk(path, 64 * 1024 ** 2)).rejects.toMatchObject({ code: "DISK_EXISTS" });
  expect(await images.disk(path, { check: true })).toMatchObject({ format: "qcow2", virtualBytes: 64 * 1024 ** 2 });
  await images.growDisk(path, 128 * 1024 ** 2);
  expect(await images.disk(path)).toMatchObject({ virtualBytes: 128 * 1024 ** 2, content: "blank" });
  expect(await images.identify(images.ref(path))).toBe((await images.chain(images.ref(path)))[0]!.identity);
  expect((await images.isos()).map((iso) => iso.path)).toEqual([]);
  await images.remove(path);
  expect(readdirSync(join(root, "images"))).toEqual([]);
});
