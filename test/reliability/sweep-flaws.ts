/** Four ways to get the flow wrong, each of which the sweep has to notice. They are planted around the ports, where the
 * program would have to behave as if it were written so. */

import type { Operation } from "../../src/domain/changes/operation.ts";
import { eventOf } from "../../src/domain/model/event.ts";
import type { Vm } from "../../src/domain/model/vm.ts";
import type { Backend } from "../../src/domain/ports/backend.ts";
import type { Store } from "../../src/domain/ports/store.ts";
import { type Flow, program } from "./sweep.ts";

const instead = <T extends object>(subject: T, methods: Partial<T>): T =>
  new Proxy(subject, { get: (of, key) => Reflect.get(methods, key) ?? Reflect.get(of, key) });

/** The operation is put on record when it has been applied. */
const recordAfterApplying: Flow = {
  ...program,
  ports(ports) {
    let pending: Operation | undefined;
    const store: Partial<Store> = {
      async begin(operation) {
        pending = operation;
      },
      async advance() {},
      async settle(id, settlement) {
        if (pending) await ports.store.begin(pending);
        pending = undefined;
        await ports.store.settle(id, settlement);
      },
    };
    return { ...ports, store: instead(ports.store, store) };
  },
};

/** What was left behind is taken for undone. */
const recoverWithoutLooking: Flow = {
  ...program,
  async recover({ store, now }, at) {
    const claim = await store.claim(at, { actor: "bootwright", what: "recovery" }, 0);
    for (const { id, target, steps, what } of claim.left) {
      const event = eventOf(id, 0, target, now().toISOString(), "operation.rolled_back", { what });
      await store.settle(id, { status: "rolled_back", steps, events: [event] });
    }
    await claim.release();
  },
};

/** After an error nobody looks: things are taken to be as they were seen last. */
const believeTheError: Flow = {
  ...program,
  ports(ports) {
    const { backend } = ports;
    let seen: Vm | undefined;
    let believed = false;
    const methods: Partial<Backend> = {
      async observe(uuid, signal) {
        if (!believed) seen = await backend.observe(uuid, signal);
        return seen;
      },
      async apply(vm, change, context) {
        try {
          await backend.apply(vm, change, context);
        } catch (error) {
          believed = true;
          throw error;
        }
      },
    };
    return { ...ports, backend: instead(backend, methods) };
  },
};

/** That a call was not answered is not put on record. */
const forgetTheCall: Flow = {
  ...program,
  ports(ports) {
    const store: Partial<Store> = {
      settle(id, settlement) {
        const steps = settlement.steps.map(({ maybeInFlightUntil: _forgotten, ...step }) => step);
        return ports.store.settle(id, { ...settlement, steps });
      },
    };
    return { ...ports, store: instead(ports.store, store) };
  },
};

export const flaws = { recordAfterApplying, recoverWithoutLooking, believeTheError, forgetTheCall };
