// The operation after one whose call was lost, which a VM has to take once everything answers again.

import { setTimeout as sleep } from "node:timers/promises";
import { Refused } from "../support/client.ts";
import type { Testbed } from "../support/vm.ts";

/** Changes the VM once a lost call can no longer be carried out. Returns a sentence for each thing that is wrong; a VM that
 * is gone rightly takes no change. */
export async function nextOperation(testbed: Testbed, uuid: string): Promise<string[]> {
  for (;;) {
    const refusal = await testbed.call("detach_iso", { vm: uuid }).then(
      () => undefined,
      (error: unknown) => {
        if (!(error instanceof Refused)) throw error;
        return error.refusal;
      },
    );
    if (refusal === undefined || ["VM_NOT_FOUND", "VM_NOT_MANAGED"].includes(refusal.code)) return [];
    const waitMs = Date.parse(String(refusal.details?.until)) - Date.now();
    if (refusal.code !== "OUTCOME_UNKNOWN" || !(waitMs > 0)) return [`then detach_iso: ${JSON.stringify(refusal)}`];
    await sleep(waitMs);
  }
}
