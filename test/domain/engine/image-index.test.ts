/** Who stands on which image: what an indexed answer may know, what it costs, and what is never decided on it. */
import { describe, expect, it, onTestFinished } from "vitest";
import { observe } from "../../../src/domain/engine/observe.ts";
import { usersAt } from "../../../src/domain/model/state.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import { defineVm, editDefinition, machineOf, saveState, undefineVm } from "../../support/simulator.ts";
import { diskPath, images, vmDefinition, type World, world } from "../../support/world.ts";
import { AT } from "../fixture.ts";

const start = { kind: "power.start", purpose: "live", at: AT } as const;
const other = (number: number) => `00000000-0000-4000-9000-${String(number).padStart(12, "0")}`;
const on = (path: string) => {
  const { disks, ...rest } = vmDefinition();
  return { ...rest, disks: disks.map((disk) => ({ ...disk, path })) };
};
const define = ({ session }: World, number: number, path: string) =>
  defineVm(session, { uuid: other(number), name: `other-${number}`, next: on(path) });

/** A world whose looks are counted. */
async function counted(config: NonNullable<Parameters<typeof world>[0]>["config"] = {}) {
  const calls = { list: 0, observe: 0 };
  const wrap = (backend: Backend): Backend => ({
    ...backend,
    list(signal) {
      calls.list += 1;
      return backend.list(signal);
    },
    observe(uuid, signal) {
      calls.observe += 1;
      return backend.observe(uuid, signal);
    },
  });
  const opened = await world({ config, wrap });
  const at = await opened.create({ uuid: "5e0a7a4e-54a5-4f0b-9d0c-4a6b6a1d2c01" });
  const usage = async (indexed = true) => {
    Object.assign(calls, { list: 0, observe: 0 });
    const state = await observe(opened.ports, at, { usage: indexed ? "indexed" : true });
    return { users: usersAt(state, diskPath), ...calls };
  };
  /** Watches the connection, and lists it once as whoever watches does. */
  const watched = async () => {
    const ending = new AbortController();
    const ended = opened.backend.events!.watch(() => {}, ending.signal);
    const stop = async () => {
      ending.abort();
      await ended;
    };
    onTestFinished(stop);
    await opened.backend.list();
    return stop;
  };
  return { ...opened, at, usage, watched };
}

const fail = () => Promise.reject(new Error("no answer"));
const nobody = { inUseBy: [], clones: [], owners: [] };

describe("usersOf()", () => {
  it("answers from one list while nobody watches the connection", async () => {
    const w = await counted();
    define(w, 1, diskPath);
    expect(await w.usage()).toEqual({ users: { ...nobody, owners: ["other-1"] }, list: 1, observe: 1 });
  });

  it.each([1, 300])("looks at nobody else where nothing has happened, among %i VMs", async (many) => {
    const w = await counted();
    for (let number = 1; number < many; number++) define(w, number, `${images}/${other(number)}.qcow2`);
    await w.watched();
    expect(await w.usage()).toEqual({ users: nobody, list: 0, observe: 1 });
  });

  it("looks again at a VM of which it was told, and at no other", async () => {
    const w = await counted();
    for (const number of [1, 2, 3]) define(w, number, `${images}/${other(number)}.qcow2`);
    await w.watched();
    editDefinition(w.session, other(2), () => on(diskPath));
    expect(await w.usage()).toEqual({ users: { ...nobody, owners: ["other-2"] }, list: 0, observe: 2 });
    expect(await w.usage()).toMatchObject({ list: 0, observe: 1 });
  });

  it("knows what this process did to another VM without being told of it", async () => {
    const w = await counted();
    define(w, 1, diskPath);
    await w.watched();
    w.session.watchers.clear();
    await w.run({ connection: "local", uuid: other(1) }, start, { accept: ["NOTHING_BOOTS"] });
    expect((await w.usage()).users).toEqual({ inUseBy: ["other-1"], clones: [], owners: ["other-1"] });
  });

  it("names no VM that it has not looked at again", async () => {
    const w = await counted();
    define(w, 1, diskPath);
    await w.run({ connection: "local", uuid: other(1) }, start, { accept: ["NOTHING_BOOTS"] });
    await w.watched();
    expect((await w.usage()).users?.inUseBy).toEqual(["other-1"]);
    w.session.watchers.clear();
    saveState(w.session, other(1));
    expect(await w.usage()).toEqual({ users: { ...nobody, owners: ["other-1"] }, list: 0, observe: 2 });
    undefineVm(w.session, other(1));
  });

  it("misses an edit that nothing told of, and sees it where more than a definition depends on the answer", async () => {
    const w = await counted();
    define(w, 1, `${images}/one.qcow2`);
    await w.watched();
    machineOf(w.session, other(1)).next = on(diskPath);
    expect((await w.usage()).users).toEqual(nobody);
    expect(await w.usage(false)).toEqual({ users: { ...nobody, owners: ["other-1"] }, list: 1, observe: 1 });
    expect(await w.usage()).toMatchObject({ users: { owners: ["other-1"] }, list: 0 });
  });

  it("goes back to lists when the watch has ended", async () => {
    const w = await counted();
    const stop = await w.watched();
    define(w, 1, `${images}/one.qcow2`);
    await stop();
    machineOf(w.session, other(1)).next = on(diskPath);
    expect(await w.usage()).toEqual({ users: { ...nobody, owners: ["other-1"] }, list: 1, observe: 1 });
  });

  it("takes nothing for known until everything has been listed since the watch began", async () => {
    const w = await counted();
    await w.backend.list();
    const ending = new AbortController();
    const ended = w.backend.events!.watch(() => {}, ending.signal);
    expect(await w.usage()).toMatchObject({ list: 1 });
    expect(await w.usage()).toMatchObject({ list: 0 });
    ending.abort();
    await ended;
  });

  it("follows chains, of what runs and of what the next start uses", async () => {
    const clone = (name: string) => ({ path: `${images}/${name}.qcow2`, backing: diskPath });
    const w = await counted({ disks: [clone("one"), clone("two")] });
    define(w, 1, clone("one").path);
    define(w, 2, `${images}/other.qcow2`);
    await w.run({ connection: "local", uuid: other(1) }, start, { accept: ["NOTHING_BOOTS"] });
    editDefinition(w.session, other(1), () => on(clone("two").path));
    expect((await w.usage()).users).toEqual({ inUseBy: [], clones: ["other-1"], owners: [] });
  });

  it("asks again for what could not be found out", async () => {
    const w = await counted();
    define(w, 1, diskPath);
    await w.watched();
    const { backend, at } = w;
    const { images: kept } = backend;
    const failing = { ...backend, images: { ...kept, chain: fail, identify: fail } };
    const image = await kept.identify(kept.ref(diskPath));
    const query = { except: at.uuid, indexed: true };
    await expect(backend.imageIndex.usersOf(failing, [image], query)).rejects.toThrow("no answer");
    expect(await backend.imageIndex.usersOf(backend, [image], query)).toEqual({
      [image]: { ...nobody, owners: ["other-1"] },
    });
  });

  it("takes two names of one file for one image", async () => {
    const links = [
      { path: `${images}/link.qcow2`, to: diskPath },
      { path: "/elsewhere", to: images },
    ];
    const clone = { path: `${images}/clone.qcow2`, backing: `/elsewhere${diskPath.slice(images.length)}` };
    const w = await counted({ links, disks: [clone] });
    define(w, 1, links[0]!.path);
    define(w, 2, clone.path);
    define(w, 3, `/elsewhere${diskPath.slice(images.length)}`);
    await w.run({ connection: "local", uuid: other(3) }, start, { accept: ["NOTHING_BOOTS"] });
    expect((await w.usage()).users).toEqual({
      inUseBy: ["other-3"],
      clones: ["other-2"],
      owners: ["other-1", "other-3"],
    });
  });
});
