/** What the agents in guests say. */
import { expect } from "vitest";
import { type GroupTest, start } from "./contract-harness.ts";

export function guestContract(test: GroupTest<"guest">): void {
  test("info() is undefined where no agent answers", async (harness, guest) => {
    const off = await harness.make();
    expect(off.vm).not.toHaveProperty("agent");
    expect(await guest.info(off.target.uuid)).toBeUndefined();
    const on = await harness.apply(off, start);
    expect(on.vm!.agent ?? false).toBe(false);
    expect(await guest.info(on.target.uuid)).toBeUndefined();
    expect(await guest.info(crypto.randomUUID())).toBeUndefined();
  });
}
