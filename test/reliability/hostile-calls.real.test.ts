// Goal: hostile calls stay inside the image and ISO directories where files and a hypervisor are real. Method: calls made
// from the tools' own schemas to a server on a libvirtd of the test's own; strace watches the server, and every domain's
// definition is read afterwards. What cannot be seen: what QEMU would read of an image that it starts from
// (hostile-images.real.test.ts).

import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { canBeSystem, hasLibvirtd, type PrivateDaemon, startDaemon } from "../plugins/libvirt/client/private-daemon.ts";
import { openClient, serverPath } from "../support/client.ts";
import { guestPrefix, workDirectory } from "../support/guest-names.ts";
import { figure, scaled } from "../support/scale.ts";
import { canTrace, isWithin, linesOf, placesOf, readTrace, type Touch, traced } from "./file-watch.ts";
import { openPools, quick } from "./hostile-pools.ts";
import { newSeed, runHostileCalls, type Tally, tallied } from "./hostile-run.ts";
import type { HostileCall } from "./hostile-values.ts";

vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 1_800_000 });

describe.skipIf(!hasLibvirtd || !canBeSystem || !canTrace)("Calls with hostile arguments, on libvirt", () => {
  let daemon: PrivateDaemon | undefined;
  let directory: string;
  let tally: Tally;
  let stderr = "";
  let touches: Touch[] = [];
  const definitions: string[] = [];
  const at = (...names: string[]) => join(directory, ...names);
  const isos = ["good.iso", "sub/deep.iso", "empty.iso", "text.iso"];
  const planted = ["outside.iso", "device.iso", "pipe.iso", "loop.iso", "folder.iso", "gone.iso", "up/secret.iso"];
  const baitOf = (name: string) => {
    const path = at(name, "secret.iso");
    const { mode, mtimeMs, size, ino } = statSync(path);
    return { names: readdirSync(at(name)), text: readFileSync(path, "utf8"), mode, mtimeMs, size, ino };
  };
  let before: unknown[];

  beforeAll(async () => {
    daemon = await startDaemon({ system: true });
    directory = await workDirectory();
    await chmod(directory, 0o711);
    for (const name of ["images", "isos", "isos/sub", "isos/folder.iso", "bait", "linked", "tmp", "home"])
      mkdirSync(at(name));
    for (const name of ["bait", "linked"]) writeFileSync(at(name, "secret.iso"), `secret of ${name}`);
    writeFileSync(at("isos/empty.iso"), "");
    writeFileSync(at("isos/text.iso"), "text".repeat(20_000));
    const { bios } = inject("guests").isos;
    for (const name of ["good.iso", "sub/deep.iso"]) writeFileSync(at("isos", name), readFileSync(bios));
    symlinkSync(at("linked/secret.iso"), at("isos/outside.iso"));
    symlinkSync("/dev/zero", at("isos/device.iso"));
    symlinkSync(at("isos/loop.iso"), at("isos/loop.iso"));
    symlinkSync(at("nowhere"), at("isos/gone.iso"));
    symlinkSync(at("linked"), at("isos/up"));
    await execa("mkfifo", [at("isos/pipe.iso")]);
    before = [baitOf("bait"), baitOf("linked")];
    let asked = 0;
    const server = await openClient({
      settings: [
        ...["--data", at("data"), "--images", at("images"), "--iso-dir", at("isos"), "--claim-wait", "0.5"],
        ...["--connection", `local=libvirt,uri=qemu:///system?socket=${daemon.socketPath}`],
      ],
      command: traced(at("trace"), [process.execPath, serverPath]),
      env: { HOME: at("home"), XDG_CACHE_HOME: at("home/cache"), TMPDIR: at("tmp") },
      confirm: () => ++asked % 3 === 0,
    });
    const small = { memory_mb: 64, cpus: 1, disk_size_gb: 1, network: "none", acceleration: "tcg" };
    const pools = openPools(server, {
      isos: [
        ...isos,
        ...planted,
        ...isos.map((name) => at("isos", name)),
        at("isos/outside.iso"),
        at("linked/secret.iso"),
      ],
      name: (word) => `${guestPrefix}${word}`,
      create: small,
    });
    try {
      tally = await runHostileCalls({
        server,
        pools,
        calls: scaled(1_500, 150),
        seed: newSeed(),
        bait: at("bait"),
        workers: 3,
        callLimitMs: 180_000,
        adapt: (call) => modest(quick(call), small),
      });
    } finally {
      await server.close();
      stderr = server.stderr();
    }
    touches = readTrace(at("trace"));
    const virsh = async (...args: string[]) =>
      (await execa("virsh", ["-c", `qemu:///system?socket=${daemon!.socketPath}`, ...args])).stdout;
    const names = (await virsh("list", "--all", "--name")).split("\n").filter(Boolean);
    for (const name of names) {
      definitions.push(await virsh("dumpxml", name), await virsh("dumpxml", "--inactive", name));
      await virsh("destroy", name).catch(() => undefined);
    }
  });
  afterAll(async () => {
    await daemon?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("are all answered: done, or refused with a code", () => {
    figure("hostile calls on libvirt", tally.calls);
    figure("hostile calls on libvirt, answers", tallied(tally));
    figure(
      "hostile calls on libvirt, slowest",
      `${Math.round(tally.slowest.ms)} ms, ${tally.slowest.call.slice(0, 100)}`,
    );
    expect(tally.codes.get("done")).toBeGreaterThan(tally.calls / 20);
    expect(tally.codes.get("INPUT_INVALID")).toBeGreaterThan(tally.calls / 20);
  });

  test("leave no defect and no stack on stderr", () => {
    expect(stderr).not.toMatch(/defect|^\s+at /m);
  });

  test("make the server write nowhere but where it may, open nothing outside, and run nothing but what it needs", () => {
    const writable = [...["data", "images", "tmp", "home"].map((name) => at(name)), "/dev/null"];
    const outside = (places: readonly string[]) => (path: string) => !isWithin(path, places);
    expect(
      linesOf(touches.filter((one) => one.writes && placesOf(one).some(outside([...writable, daemon!.socketPath])))),
    ).toEqual([]);
    const bait = [at("bait"), at("linked"), "/etc/shadow", "/dev/zero", at("isos/pipe.iso")];
    expect(linesOf(touches.filter(({ opened }) => opened !== undefined && isWithin(opened, bait)))).toEqual([]);
    // What no link leads to is not even looked at.
    expect(linesOf(touches.filter((one) => placesOf(one).some((path) => isWithin(path, [at("bait")]))))).toEqual([]);
    const programs = touches.filter(({ call, line }) => call === "execve" && / = 0$/.test(line));
    const names = new Set(programs.map(({ paths }) => paths[0]!.slice(paths[0]!.lastIndexOf("/") + 1)));
    // setpriv ties qemu-img to the server's life, and true shows whether it can.
    const needed = ["node", "qemu-img", "getfacl", "setpriv", "true"];
    expect([...names].filter((name) => !needed.includes(name))).toEqual([]);
  });

  test("leave what they aim at as it was", () => {
    expect([baitOf("bait"), baitOf("linked")]).toEqual(before);
  });

  test("leave libvirt with definitions that name nothing outside", () => {
    expect(definitions.length).toBeGreaterThan(0);
    const inside = [
      at("images"),
      at("isos"),
      "/usr/share",
      "/usr/bin",
      "/var/lib/libvirt",
      "/run/libvirt",
      "/dev/urandom",
      "/dev/pts",
      // The resource partition of a running guest is no file.
      "/machine",
    ];
    const paths = definitions.flatMap((xml) =>
      [...xml.matchAll(/=["'](\/[^"']*)|>(\/[^<>\n]+)</g)].map(([, value, text]) => value ?? text!),
    );
    expect([...new Set(paths)].filter((path) => !isWithin(path, inside))).toEqual([]);
    const media = definitions.flatMap((xml) =>
      [...xml.matchAll(/<source file=['"]([^'"]+)/g)].map(([, path]) => path!),
    );
    expect(media.filter((path) => !isWithin(path, [at("images"), at("isos")]))).toEqual([]);
  });
});

/** Makes a call one that this machine can hold, under a name that says whose VM it is. A wrong call stays wrong. */
function modest(call: HostileCall, small: Record<string, unknown>): HostileCall {
  const { name } = (call.args ?? {}) as { name?: unknown };
  if (call.tool !== "create_vm" || typeof name !== "string" || !/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) return call;
  const args = call.args as Record<string, unknown>;
  const fitting = Object.entries(small).filter(
    ([key]) => Object.hasOwn(args, key) && typeof args[key] === typeof small[key],
  );
  return { ...call, args: { ...args, ...Object.fromEntries(fitting) } };
}
