/** Goal: what was carried out with a key is not carried out again with it, whatever became of its answer. Method: the
 * server in this process, over tools and a store that fail where none of ours does by itself. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { DomainError } from "../../../src/domain/error.ts";
import type { Store } from "../../../src/domain/ports/store.ts";
import { allTools } from "../../../src/tools/catalogue.ts";
import type { Tool } from "../../../src/tools/tool.ts";
import { type HttpHere, openHere, sessionOf } from "../../support/http-here.ts";
import { world } from "../../support/world.ts";

/** All tools, of which one is another. */
const toolsWith = (name: string, other: (tool: Tool) => Partial<Tool>): Tool[] =>
  allTools.map((tool) => (tool.name === name ? { ...tool, ...other(tool) } : tool));
const create = ({ ask }: HttpHere) => ask("POST", "/api/vms", { name: "web" }, { headers: { "idempotency-key": "k" } });
const operationsOf = async ({ ask }: HttpHere) => (await ask("GET", "/api/operations")).body.operations;
const again = "idempotency-replayed";

describe("what was carried out with an Idempotency-Key", () => {
  it("and ended in a fault is answered with that fault again, which names the operation", async () => {
    const tools = toolsWith("create_vm", () => ({ output: z.object({ nothing: z.string() }) }));
    const here = await openHere(await world(), {}, { tools });
    const first = await create(here);
    const [{ operation }] = await operationsOf(here);
    expect(first).toMatchObject({ status: 500, body: { code: "DEFECT", details: { id: "defect", operation } } });
    expect(first.body.hint).toContain(`/api/operations/${operation}`);
    const second = await create(here);
    expect([second.body, second.headers.get(again)]).toEqual([first.body, "true"]);
    expect(here.defects).toHaveLength(1);
    expect(await operationsOf(here)).toHaveLength(1);
  });

  it("and answered at a length that is not kept is answered with where to look", async () => {
    const tools = toolsWith("create_vm", ({ run }) => ({
      run: async (input, context) => ({ ...(await run(input, context)), notes: ["x".repeat(2 ** 20)] }),
    }));
    const here = await openHere(await world(), {}, { tools });
    const first = await create(here);
    expect([first.status, first.body.notes[0].length]).toEqual([201, 2 ** 20]);
    const { operation } = first.body;
    const second = await create(here);
    expect(second).toMatchObject({ status: 409, body: { code: "ANSWER_NOT_KEPT", details: { operation } } });
    expect(second.body.hint).toContain(`/api/operations/${operation}`);
    expect(await operationsOf(here)).toHaveLength(1);
  });

  it("is answered although the answer cannot be kept at once, and kept later", async () => {
    const made = await world();
    const { services } = sessionOf(made);
    let isLocked = true;
    const answerKey: Store["answerKey"] = async (...given) => {
      if (isLocked) throw new DomainError("STORE_LOCKED", { path: "here" });
      return made.store.answerKey(...given);
    };
    const store: Store = { ...made.store, answerKey };
    const here = await openHere(made, {}, { services: { ...services, store: async () => store } });
    const first = await create(here);
    expect(first.status).toBe(201);
    expect((await create(here)).body.code).toBe("IDEMPOTENCY_KEY_IN_USE");
    isLocked = false;
    await expect.poll(async () => (await create(here)).body).toEqual(first.body);
    expect(await operationsOf(here)).toHaveLength(1);
  });

  it("and answered with a secret is not kept with it", async () => {
    const made = await world();
    const { services } = sessionOf(made);
    const plugins = { list: async () => [{ name: "phone-home", fetch: true }] as never };
    const guests = { address: "127.0.0.1", port: 1 };
    const here = await openHere(made, {}, { services: { ...services, plugins, guests } });
    const asked = (name: string) =>
      here.ask("POST", `/api/vms/${name}/guest-link`, {}, { headers: { "idempotency-key": "k" } });
    expect((await asked("web")).status).toBe(404);
    await here.ask("POST", "/api/vms", { name: "web" });
    expect(await asked("web")).toMatchObject({ status: 200, body: { url: expect.stringContaining("http://") } });
    const second = await asked("web");
    expect(second).toMatchObject({ status: 409, body: { code: "ANSWER_NOT_KEPT" } });
    expect([JSON.stringify(second.body), second.headers.get(again)]).toEqual([
      expect.not.stringContaining("10.0.2.2"),
      "true",
    ]);
  });
});
