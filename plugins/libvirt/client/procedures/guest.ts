import { type Domain, writeDomain } from "../domain.ts";
import { type Parameters, readParameters } from "../parameter.ts";
import { type Call, type CallOptions, nothing } from "../procedure.ts";

const GUEST_INFO_MAX = 2048;

/** Calls that reach into the guest, whose answers are untrusted. */
export function guestProcedures(call: Call) {
  return {
    /** The guest agent's answers; `types` are GUEST_INFO (0: all). Fails with ERROR_CODE.agentUnresponsive without
     * one. */
    domainGetGuestInfo: (domain: Domain, types = 0, flags = 0, options?: CallOptions): Promise<Parameters> =>
      call(
        "DOMAIN_GET_GUEST_INFO",
        (writer) => {
          writeDomain(writer, domain);
          writer.unsigned(types);
          writer.unsigned(flags);
        },
        (reader) => readParameters(reader, GUEST_INFO_MAX),
        options,
      ),

    /** Presses up to 16 keys at once for `holdMs`; `codeset` is a KEYCODE_SET. */
    domainSendKey: (
      domain: Domain,
      keys: { codeset: number; keycodes: readonly number[]; holdMs: number },
      options?: CallOptions,
    ): Promise<void> =>
      call(
        "DOMAIN_SEND_KEY",
        (writer) => {
          writeDomain(writer, domain);
          writer.unsigned(keys.codeset);
          writer.unsigned(keys.holdMs);
          writer.list(keys.keycodes, (keycode) => writer.unsigned(keycode));
          writer.unsigned(0);
        },
        nothing,
        options,
      ),
  };
}
