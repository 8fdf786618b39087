// Goal: a hypervisor that never answers, and heeds no signal, keeps no caller and no VM for ever. Method: every method of
// the ports is made to hang under limits that are shortened to what a test can wait for.

import { describe, expect, test } from "vitest";
import memory from "../../plugins/memory/index.ts";
import type { ImageRef } from "../../src/domain/model/image-ref.ts";
import type { Backend } from "../../src/domain/ports/backend.ts";
import { bindBackend } from "../../src/plugin-host/backends.ts";
import { refused } from "../domain/fixture.ts";
import { orderChange, uuid, world } from "../support/world.ts";

const never = () => new Promise<never>(() => undefined);
const limits = { short: 50, long: 150 };
const images = new Proxy({}, { get: () => never });
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
      images: () => images as never,
    },
  },
  {} as never,
  "local",
  limits,
);

const looks: Readonly<Record<string, (backend: Backend) => Promise<unknown>>> = {
  list: (backend) => backend.list(),
  observe: (backend) => backend.observe(uuid),
  lookup: (backend) => backend.lookup("web"),
  host: (backend) => backend.host(),
  exportDefinition: (backend) => backend.exportDefinition(uuid),
  "images.isos": ({ images: of }) => of.isos(),
  "images.resolveIso": ({ images: of }) => of.resolveIso("x.iso"),
  "images.iso": ({ images: of }) => of.iso("/x.iso"),
  "images.disk": ({ images: of }) => of.disk("/x.qcow2"),
  "images.disk with check": ({ images: of }) => of.disk("/x.qcow2", { check: true }),
  "images.chain": ({ images: of }) => of.chain("/x.qcow2" as ImageRef),
  "images.identify": ({ images: of }) => of.identify("/x.qcow2" as ImageRef),
  "images.space": ({ images: of }) => of.space(),
};
const long = ["list", "images.isos", "images.disk with check"];

describe("a look that is never answered", () => {
  test.each(Object.entries(looks))("ends by itself: %s", async (name, look) => {
    const { reason } = (await refused("BACKEND_UNAVAILABLE", look(hanging))).details;
    expect(reason).toContain(`no answer within ${limits[long.includes(name) ? "long" : "short"] / 1000} s`);
  });

  test("ends when nobody waits for it any longer", async () => {
    const { reason } = (await refused("BACKEND_UNAVAILABLE", hanging.observe(uuid, AbortSignal.timeout(10)))).details;
    expect(reason).toBe("observe: no answer, and nobody waits any longer");
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
