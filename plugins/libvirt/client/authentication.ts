import { LibvirtError } from "./error.ts";
import type { Call, CallOptions } from "./procedure.ts";
import { nothing } from "./procedure.ts";

const AUTH = { none: 0, sasl: 1, polkit: 2 } as const;
const AUTH_TYPES_MAX = 20;

/** The daemon refuses this client, or requires an authentication that the client does not support. */
export class AuthenticationRefused extends Error {
  override readonly name = "AuthenticationRefused";
}

/**
 * Authenticates as the daemon requires before any other call. polkit decides by the process behind the socket, so the
 * request carries no credentials; libvirtd requires nothing of root, even with polkit configured.
 */
export async function authenticate(call: Call, options?: CallOptions): Promise<void> {
  const types = await call("AUTH_LIST", nothing, (reader) => reader.list(AUTH_TYPES_MAX, () => reader.int()), options);
  if (types.includes(AUTH.none)) return;
  if (!types.includes(AUTH.polkit)) {
    const names = types.map((type) => (type === AUTH.sasl ? "SASL" : `type ${type}`)).join(", ");
    throw new AuthenticationRefused(
      `Cannot authenticate at libvirt's daemon: it asks for ${names || "nothing known"}, only none and polkit are supported`,
    );
  }
  try {
    const complete = await call("AUTH_POLKIT", nothing, (reader) => reader.truth(), options);
    if (!complete)
      throw new AuthenticationRefused("Cannot authenticate at libvirt's daemon: polkit did not let this process in");
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    throw new AuthenticationRefused(`Cannot authenticate at libvirt's daemon with polkit: ${error.message}`, {
      cause: error,
    });
  }
}
