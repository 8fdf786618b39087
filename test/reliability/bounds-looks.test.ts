// @module-tag long
// Goal: a hypervisor that never answers, and heeds no signal, keeps no caller and no VM for ever. Method: every method of
// the ports is made to hang under limits that are shortened to what a test can wait for.

import { describe, expect, test } from "vitest";
import memory from "../../plugins/memory/index.ts";
import type { Backend } from "../../src/domain/ports/backend.ts";
import { backendGroups, coreCalls, groupNames, imageCalls } from "../../src/plugin-host/backend-calls.ts";
import { bindBackend } from "../../src/plugin-host/backends.ts";
import { refused } from "../domain/fixture.ts";
import { orderChange, uuid, world } from "../support/world.ts";

const never = () => new Promise<never>(() => undefined);
const limits = { short: 50, long: 150 };
const silent = new Proxy({}, { get: () => never });
const groups = Object.fromEntries(groupNames.map((group) => [group, silent]));
const hanging = bindBackend(
  {
    ...memory,
    backend: {
      ...memory.backend!,
      list: never,
      observe: never,
      lookup: never,
      host: never,
      exportDefinition: never,
      ...groups,
      images: () => silent as never,
    },
  },
  {} as never,
  "local",
  limits,
);

/** The methods that ask nobody, that are waited for once they have begun, or that run until their signal ends. */
const unlimited = [
  ...["images.pathFor", "images.ref", "images.show"],
  ...["importDefinition", "images.createDisk", "images.growDisk", "images.remove"],
  "events.watch",
];
type Look = (backend: Backend) => Promise<unknown>;
/** Every other method of the ports, so that one which is new is here as well. */
const methods = (calls: object, port: string): [string, Look][] =>
  Object.keys(calls).map((name) => [
    port === "" ? name : `${port}.${name}`,
    (backend) => {
      const own = (port === "" ? backend : backend[port as "images"]) as unknown as Record<
        string,
        () => Promise<unknown>
      >;
      return own[name]!();
    },
  ]);
const looks = [
  ...methods(coreCalls, ""),
  ...groupNames.flatMap((group) => methods(backendGroups[group].calls, group)),
  ...methods(imageCalls, "images"),
  ...Object.entries<Look>({
    "images.disk": ({ images: of }) => of.disk("/x.qcow2"),
    "images.disk with check": ({ images: of }) => of.disk("/x.qcow2", { check: true }),
  }),
].filter(([name]) => !unlimited.includes(name));
const long = ["list", "images.isos", "images.disk with check"];

describe("a look that is never answered", () => {
  test.each(looks)("ends by itself: %s", async (name, look) => {
    const { reason } = (await refused("BACKEND_UNAVAILABLE", look(hanging))).details;
    expect(reason).toContain(`no answer within ${limits[long.includes(name) ? "long" : "short"] / 1000} s`);
  });

  test("ends when nobody waits for it any longer", async () => {
    const { reason } = (await refused("BACKEND_UNAVAILABLE", hanging.observe(uuid, AbortSignal.timeout(10)))).details;
    expect(reason).toBe("observe: no answer before the caller gave up");
  });

  test("gives the VM back that it was about", async () => {
    let hangs = false;
    const w = await world({
      wrap: (real) => ({ ...real, observe: (...given) => (hangs ? hanging : real).observe(...given) }),
    });
    const at = await w.create();
    hangs = true;
    await refused(
      "BACKEND_UNAVAILABLE",
      w.run(at, (now) => [orderChange(now, "hd")]),
    );
    hangs = false;
    expect((await w.run(at, (now) => [orderChange(now, "hd")])).changed).toBe(true);
  });
});
