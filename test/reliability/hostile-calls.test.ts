// Goal: no call can make the server fail in a way that it does not name, nor touch a file that is not its own. Method:
// calls made from the tools' own schemas, right and wrong, to a real server process over stdio, on VMs in memory; strace
// watches the process. What cannot be seen here: what libvirt makes of them (hostile-calls.real.test.ts).

// @module-tag process
import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { openClient, serverPath } from "../support/client.ts";
import { memorySettings, temporaryDirectory } from "../support/memory.ts";
import { figure, scaled } from "../support/scale.ts";
import { canTrace, isWithin, linesOf, placesOf, readTrace, type Touch, traced } from "./file-watch.ts";
import { openPools, quick } from "./hostile-pools.ts";
import { newSeed, runHostileCalls, type Tally, tallied } from "./hostile-run.ts";

vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 1_800_000 });

const repository = fileURLToPath(new URL("../..", import.meta.url));
const isos = ["installer.iso", "installer-uefi.iso", "live.iso", "drivers.iso"];

describe("Calls with hostile arguments, on VMs in memory", () => {
  const directory = temporaryDirectory("file");
  const [data, home, scratch, bait] = ["data", "home", "tmp", "bait"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ];
  const log = join(directory, "trace");
  let tally: Tally;
  let stderr = "";
  let touches: Touch[] = [];

  beforeAll(async () => {
    for (const made of [home, scratch, bait]) mkdirSync(made);
    writeFileSync(join(bait, "secret.iso"), "secret");
    let asked = 0;
    const command = [process.execPath, serverPath];
    const server = await openClient({
      settings: [...memorySettings(data, "shutdownMs=1", "installsAfterMs=50"), "--claim-wait", "0.5"],
      command: canTrace ? traced(log, command) : command,
      env: { HOME: home, XDG_CACHE_HOME: join(home, "cache"), TMPDIR: scratch, XDG_CONFIG_HOME: join(home, "config") },
      confirm: () => ++asked % 3 === 0,
    });
    const pools = openPools(server, { isos, name: (word) => word, create: {} });
    tally = await runHostileCalls({
      server,
      calls: scaled(10_000, 1_200),
      seed: newSeed(),
      bait,
      workers: 6,
      callLimitMs: 60_000,
      pools,
      adapt: quick,
    });
    expect((await server.call("list_vms")).total).toBeGreaterThan(0);
    await server.close();
    stderr = server.stderr();
    if (canTrace) touches = readTrace(log);
  });

  test("are all answered: done, or refused with a code", () => {
    figure("hostile calls on memory", tally.calls);
    figure("hostile calls on memory, answers", tallied(tally));
    figure(
      "hostile calls on memory, slowest",
      `${Math.round(tally.slowest.ms)} ms, ${tally.slowest.call.slice(0, 100)}`,
    );
    figure(
      "hostile calls on memory, largest answer",
      `${tally.largest.bytes} bytes, ${tally.largest.call.slice(0, 100)}`,
    );
    expect(tally.calls).toBeGreaterThanOrEqual(scaled(10_000, 1_200));
    // Both kinds occur in numbers, or the calls were not what they were meant to be.
    expect(tally.codes.get("done")).toBeGreaterThan(tally.calls / 20);
    expect(tally.codes.get("INPUT_INVALID")).toBeGreaterThan(tally.calls / 20);
    // In a short run there may be none of these few.
    expect(tally.codes.get("ISO_OUTSIDE_LIBRARY") ?? 0).toBeGreaterThanOrEqual(scaled(1, 0));
  });

  test("leave nothing on stderr: no defect, no stack", () => {
    expect(stderr).toBe("");
  });

  test.runIf(canTrace)(
    "make the server write nowhere but where it may, and open nothing but what it is made of",
    () => {
      const writable = [data, join(home, "cache"), scratch, "/dev/null"];
      const modules = realpathSync(join(repository, "node_modules"));
      const runtime = [dirname(dirname(process.execPath)), repository, modules, "/usr", "/lib", "/lib64"];
      const system = ["/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/proc", "/sys", "/dev/urandom"];
      expect(linesOf(touches.filter(({ writes }) => writes)).length).toBeGreaterThan(10);
      const outside = (places: readonly string[]) => (path: string) => !isWithin(path, places);
      const strayWrites = touches.filter((one) => one.writes && placesOf(one).some(outside(writable)));
      expect(linesOf(strayWrites)).toEqual([]);
      const strayReads = touches.filter(({ opened = data }) => outside([...writable, ...runtime, ...system])(opened));
      expect(linesOf(strayReads)).toEqual([]);
      // Not even looked at: whether something is there is not the server's to find out.
      expect(linesOf(touches.filter((one) => placesOf(one).some((path) => isWithin(path, [bait]))))).toEqual([]);
      // No program but itself, and no socket.
      const reached = touches.filter(({ call }) => /^(exec|connect|bind)/.test(call));
      expect(linesOf(reached)).toEqual([expect.stringContaining(serverPath)]);
    },
  );

  test("leave what they aim at as it was", () => {
    expect(readdirSync(bait)).toEqual(["secret.iso"]);
    expect(existsSync("/tmp/bootwright-pwned")).toBe(false);
  });
});
