// The socket for a libvirt URI. It supports only unix sockets of this host; other transports are untested.

import { existsSync } from "node:fs";
import { join } from "node:path";

/** The daemon's socket, and the name to open there: the URI without the client's own parameters. */
export interface Address {
  readonly socketPath: string;
  readonly name: string;
}

const ACCEPTED = `qemu:///system, qemu:///session and test:///default, each with an optional "?socket=/path"`;

/**
 * The socket and the name for a URI: libvirt's one daemon, or the modular virtqemud if only that one has a socket.
 * Throws a RangeError that lists the accepted URIs for every other URI.
 */
export function addressOf(
  uri: string,
  environment: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = existsSync,
): Address {
  const refuse = (reason: string) =>
    new RangeError(`Cannot use the libvirt URI "${uri}": ${reason}. Accepted: ${ACCEPTED}`);
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined) throw refuse("it is not a URI");
  const [driver, transport = "unix"] = url.protocol.slice(0, -1).split("+");
  if (transport !== "unix") throw refuse(`the transport "${transport}" is not supported`);
  if (url.host !== "" || url.username !== "") throw refuse("it names a remote host");
  const name = `${driver}://${url.pathname}`;
  if (name !== "qemu:///system" && name !== "qemu:///session" && name !== "test:///default")
    throw refuse("it names no known connection");
  for (const key of url.searchParams.keys()) {
    if (key !== "socket") throw refuse(`the parameter "${key}" is not supported`);
  }
  const socket = url.searchParams.get("socket");
  if (socket !== null && !socket.startsWith("/")) throw refuse("the socket needs an absolute path");
  return { socketPath: socket ?? usualSocket(name, environment, exists), name };
}

function usualSocket(name: string, environment: NodeJS.ProcessEnv, exists: (path: string) => boolean): string {
  const [first = "", ...others] = name === "qemu:///session" ? sessionSockets(environment) : systemSockets(name);
  return [first, ...others].find(exists) ?? first;
}

function systemSockets(name: string): string[] {
  const sockets = ["/run/libvirt/libvirt-sock", "/var/run/libvirt/libvirt-sock"];
  return name.startsWith("qemu:") ? [...sockets, "/run/libvirt/virtqemud-sock"] : sockets;
}

function sessionSockets(environment: NodeJS.ProcessEnv): string[] {
  const { XDG_RUNTIME_DIR: runtime, XDG_CACHE_HOME: cache, HOME: home = "/" } = environment;
  // Without a runtime directory libvirt keeps its sockets in the cache (g_get_user_runtime_dir).
  const directory = join(runtime || cache || join(home, ".cache"), "libvirt");
  return [join(directory, "libvirt-sock"), join(directory, "virtqemud-sock")];
}
