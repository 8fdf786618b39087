// Goal: a daemon that asks for polkit is spoken to rightly, let in or not. Method: a libvirtd of our own with
// auth_unix_rw="polkit", and a client process as another user (libvirtd asks root for nothing). To be let in needs a
// system bus and polkitd: private ones, with a rule mounted over polkit's in a mount namespace of polkitd alone.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hasLibvirtd, isRoot, NOBODY, type PrivateDaemon, startDaemon, until } from "./private-daemon.ts";

const POLKITD = "/usr/lib/polkit-1/polkitd";
const hasPolkit =
  existsSync(POLKITD) &&
  spawnSync("dbus-daemon", ["--version"]).status === 0 &&
  spawnSync("unshare", ["-m", "true"]).status === 0;

const BUS = (path: string) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${path}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true"/><allow receive_type="method_call"/><allow receive_type="signal"/>
<allow receive_type="method_return"/><allow receive_type="error"/></policy></busconfig>`;

const RULE = `polkit.addRule(function (action, subject) {
  if (action.id == "org.libvirt.unix.manage" && subject.user == "nobody") return polkit.Result.YES;
});`;

/** What the client says of a connection made by a process of its own, as the user with this id. */
function connectAs(uid: number, daemon: PrivateDaemon): Promise<string> {
  const client = resolve("plugins/libvirt/client/libvirt.ts");
  const script = `import { openLibvirt } from ${JSON.stringify(client)};
    const libvirt = openLibvirt({ uri: "test:///default", socketPath: ${JSON.stringify(daemon.socketPath)} });
    console.log(await libvirt.connectGetUri().catch(String));
    await libvirt.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { uid, gid: uid });
  const { promise, resolve: done } = Promise.withResolvers<string>();
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  child.once("exit", () => done(output.trim()));
  return promise;
}

describe.skipIf(!hasLibvirtd || !isRoot)("A daemon that asks for polkit", () => {
  const running: ChildProcess[] = [];
  const stops: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const stop of stops) await stop();
    for (const child of running) child.kill();
  });

  test("refuses with libvirt's reason where polkit cannot be asked, and asks root for nothing", async () => {
    const nowhere = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nowhere/bus" };
    const daemon = await startDaemon({ settings: ['auth_unix_rw = "polkit"'], environment: nowhere });
    stops.push(daemon.stop);
    expect(await connectAs(NOBODY, daemon)).toMatch(
      /^AuthenticationRefused: Cannot authenticate at libvirt's daemon with polkit: .*Unable to get system bus connection/,
    );
    expect(await connectAs(0, daemon)).toBe("test:///default");
  });

  test.skipIf(!hasPolkit)("lets in whom polkit lets in, and nobody else", async () => {
    const directory = await mkdtemp(join(tmpdir(), "bootwright-polkit-"));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    await chmod(directory, 0o755);
    const bus = join(directory, "bus");
    await writeFile(join(directory, "bus.conf"), BUS(bus));
    await writeFile(join(directory, "10-test.rules"), RULE);
    const environment = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}` };
    const arguments_ = [`--config-file=${join(directory, "bus.conf")}`, "--nofork", "--nopidfile"];
    running.push(spawn("dbus-daemon", arguments_, { stdio: "ignore" }));
    await until(() => existsSync(bus), "dbus-daemon has no socket");
    const mount = `mount --bind '${directory}' /etc/polkit-1/rules.d && exec ${POLKITD} --no-debug`;
    const env = { ...process.env, ...environment };
    running.push(spawn("unshare", ["-m", "sh", "-c", mount], { stdio: "ignore", env }));
    const daemon = await startDaemon({ settings: ['auth_unix_rw = "polkit"'], environment });
    stops.unshift(daemon.stop);
    // polkitd says on the bus alone when it is ready.
    await until(async () => (await connectAs(NOBODY, daemon)) === "test:///default", "polkit never let nobody in");
    const uidOfDaemon = 1;
    expect(await connectAs(uidOfDaemon, daemon)).toMatch(/^AuthenticationRefused: .*with polkit: /);
  });
});
