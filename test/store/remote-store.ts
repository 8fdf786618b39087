/** A store in another process. What does not cross: signals, and the function by which a settlement reports. */
import type { Claim, Store } from "../../src/domain/ports/store.ts";
import type { Calls, Methods } from "./remote-calls.ts";

/** What a process answers that lends its store. */
export function storeMethods(store: Store, notify: (listener: number) => void): Methods {
  const claims = new Map<string, Claim>();
  const ends = new Map<number, () => void>();
  return {
    ...(store as unknown as Methods),

    async claim(...values: Parameters<Store["claim"]>) {
      const claim = await store.claim(...values);
      const key = crypto.randomUUID();
      claims.set(key, claim);
      return { key, targets: claim.targets, left: claim.left };
    },

    release: (key: string) => claims.get(key)!.release(),

    onChange(listener: number): void {
      ends.set(
        listener,
        store.onChange(() => notify(listener)),
      );
    },

    endOnChange: (listener: number) => ends.get(listener)!(),
  };
}

type Lent = Pick<Claim, "targets" | "left"> & { key: string };

/** The store of a process that lends it. */
export function storeOver({ call, listen }: Calls): Store {
  const own = {
    async claim(...values: Parameters<Store["claim"]>): Promise<Claim> {
      const { key, targets, left } = (await call("claim", ...values.slice(0, 3))) as Lent;
      return { targets, left, release: () => call("release", key) as Promise<void> };
    },

    onChange(listener: () => void): () => void {
      const number = listen(listener);
      void call("onChange", number);
      return () => void call("endOnChange", number);
    },
  };
  const called = (method: string) =>
    method === "then" ? undefined : (...values: unknown[]) => call(method, ...values);
  return new Proxy(own as Store, {
    get: (_, method: string) => (own as Record<string, unknown>)[method] ?? called(method),
  });
}
