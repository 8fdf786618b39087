/** A worker on Deno: a web worker with its own permissions. */
import type { SandboxedWorker, SandboxOptions } from "./sandbox.ts";

type Descriptor = Readonly<{ name: string; path?: string; host?: string }>;
type WebWorker = {
  postMessage(value: unknown): void;
  terminate(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null;
};
type DenoGlobals = {
  Deno: { permissions: { querySync(descriptor: Descriptor): { state: string } } };
  Worker: new (url: string, options: object) => WebWorker;
};

/** Deno refuses to give a worker more permissions than the server has, so missing ones are left out. The plugin gets an
 * error when it needs one. */
export function startWebWorker({ program, name, remote, grants, message, ended }: SandboxOptions): SandboxedWorker {
  const { Deno, Worker: Web } = globalThis as unknown as DenoGlobals;
  const held = (wanted: readonly string[], descriptor: (one: string) => Descriptor) =>
    wanted.filter((one) => Deno.permissions.querySync(descriptor(one)).state === "granted");
  const permissions = {
    read: held(grants.read, (path) => ({ name: "read", path })),
    write: held(grants.write, (path) => ({ name: "write", path })),
    net: held(grants.net, (host) => ({ name: "net", host })),
    import: remote ? "inherit" : false,
    run: false,
    env: false,
    sys: false,
    ffi: false,
  };
  const worker = new Web(program.href, { type: "module", name, deno: { permissions } });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    ended(event.message);
  };
  return {
    post: (value) => worker.postMessage(value),
    async end() {
      worker.terminate();
    },
  };
}
