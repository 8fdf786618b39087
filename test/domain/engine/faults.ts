/** Ports that fail, stop or record their calls. They are wrapped around those of a world, so that what is under them is a
 * real store and a backend that behaves like one. */

import type { Change } from "../../../src/domain/changes/catalogue.ts";
import { type Outcome, operate, type Request } from "../../../src/domain/engine/operate.ts";
import type { Target } from "../../../src/domain/model/vm.ts";
import type { Backend } from "../../../src/domain/ports/backend.ts";
import type { Ports } from "../../../src/domain/ports/operation-ports.ts";
import type { Claim } from "../../../src/domain/ports/store.ts";
import { type Asked, requestWith } from "../../support/call.ts";

type Apply = Backend["apply"];

/** The ports with another way to apply a change; `real` applies it as it is. */
export const applying = (ports: Ports, apply: (real: Apply, ...given: Parameters<Apply>) => Promise<void>): Ports => ({
  ...ports,
  backend: { ...ports.backend, apply: (...given) => apply(ports.backend.apply, ...given) },
});

/** The ports whose backend refuses changes of this kind without touching anything. */
export const refusing = (ports: Ports, kind: Change["kind"], error: () => Error = () => new Error("no")): Ports =>
  applying(ports, async (real, vm, change, context) => {
    if (change.kind === kind) throw error();
    await real(vm, change, context);
  });

const followed = [
  "claim",
  "begin",
  "advance",
  "settle",
  "observe",
  "exportDefinition",
  "importDefinition",
  "apply",
  "offerConfirmation",
  "takeConfirmation",
];

/** What to do with a call on a port: `real` makes it. */
export type Handler = (call: string, real: () => Promise<unknown>) => Promise<unknown>;

/** These work out a name, or listen. */
const waitsForNobody = new Set<string | symbol>(["pathFor", "ref", "onChange"]);

/** The ports with every call that is waited for in the hands of `handle`: those of the backend, of its images
 * (`images.disk`) and of the store, and the `release` of a claim. */
export function intercept(ports: Ports, handle: Handler): Ports {
  const follow = <T extends object>(subject: T, prefix = ""): T =>
    new Proxy(subject, {
      get(of, key) {
        const value: unknown = Reflect.get(of, key);
        if (key === "images") return follow(value as object, "images.");
        if (typeof value !== "function" || waitsForNobody.has(key)) return value;
        return async (...given: unknown[]) => {
          const call = key === "apply" ? `apply ${(given[1] as Change).kind}` : prefix + String(key);
          const result = await handle(call, async () => Reflect.apply(value, of, given));
          if (call !== "claim") return result;
          const claim = result as Claim;
          return { ...claim, release: () => handle("release", () => claim.release()) };
        };
      },
    });
  return { ...ports, backend: follow(ports.backend), store: follow(ports.store) };
}

/** The ports, with `before` and `after` around each call that matters. */
export const around = (
  ports: Ports,
  hooks: { before?: (call: string) => void; after?: (call: string) => void },
): Ports =>
  intercept(ports, async (call, real) => {
    if (!followed.includes(call.split(" ")[0]!)) return real();
    hooks.before?.(call);
    const result = await real();
    hooks.after?.(call);
    return result;
  });

/** The ports, and the list of what is called on them. */
export function recordCalls(ports: Ports): { ports: Ports; calls: string[] } {
  const calls: string[] = [];
  return { calls, ports: around(ports, { before: (call) => calls.push(call) }) };
}

/** Runs changes through the whole flow on these ports. */
export const perform = (
  ports: Ports,
  target: Target,
  intent: Request["intent"] | readonly Change[],
  more: Asked = {},
): Promise<Outcome> =>
  operate(
    ports,
    requestWith(
      {
        target,
        what: "test_tool",
        intent: typeof intent === "function" ? intent : () => intent,
        subject: "test_tool {}",
      },
      more,
    ),
  );
