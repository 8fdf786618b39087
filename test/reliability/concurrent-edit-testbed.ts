// VMs on a daemon of the tests' own, a server that reaches it through a proxy which reports every call, and the other
// program: a second client that does not go through the proxy.

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { DOMAIN_XML, openLibvirt } from "../../plugins/libvirt/client/libvirt.ts";
import { PROCEDURE, type ProcedureName } from "../../plugins/libvirt/client/procedure.ts";
import { startDaemon } from "../plugins/libvirt/client/private-daemon.ts";
import type { Refused } from "../support/client.ts";
import { type Fault, openProxy } from "../support/libvirt-proxy.ts";
import { openTestbed } from "../support/vm.ts";

const OURS = /<vcpu.*?<\/vcpu>/;
/** The mark that the other program's edit leaves in a definition. */
export const THEIRS = "<vcpu placement='static'>2</vcpu>";

export type Hooks = {
  /** The proxy calls it before it passes a call on to the daemon. */
  call: (procedure: ProcedureName) => Promise<Fault | undefined>;
  answer: (procedure: ProcedureName) => void;
};

export type ConcurrentEdit = Awaited<ReturnType<typeof openConcurrentEdit>>;

export async function openConcurrentEdit({ isos }: Readonly<{ isos: Readonly<{ both: string; bios: string }> }>) {
  const names = new Map(Object.entries(PROCEDURE).map(([name, number]) => [number as number, name as ProcedureName]));
  const nameOf = (procedure: number) => names.get(procedure) ?? "CONNECT_CLOSE";
  const quiet = (): Hooks => ({ call: async () => undefined, answer: () => {} });
  const hooks = quiet();
  const daemon = await startDaemon({ system: true });
  const sockets = await mkdtemp("/tmp/bw-");
  const path = join(sockets, "s");
  const proxy = await openProxy(
    path,
    ({ procedure }) => hooks.call(nameOf(procedure)),
    daemon.socketPath,
    (procedure) => hooks.answer(nameOf(procedure)),
  );
  const uri = (socket: string) => `qemu:///system?socket=${socket}`;
  const libvirt = openLibvirt({ uri: uri(daemon.socketPath) });
  const testbed = await openTestbed({
    isos: [isos.both, isos.bios],
    uri: uri(daemon.socketPath),
    unwatched: true,
    settings: ["--connection", `local=libvirt,uri=${uri(path)}`],
  });
  const xmlOf = async (uuid: string) => {
    const domain = await libvirt.domainLookupByUuid(uuid);
    return libvirt.domainGetXmlDesc(domain, DOMAIN_XML.inactive | DOMAIN_XML.secure);
  };
  let count = 0;
  return {
    testbed,
    libvirt,
    hooks,
    xmlOf,
    quiet: () => void Object.assign(hooks, quiet()),
    prepared: async () => (await testbed.create(`m${++count}`, { iso_path: testbed.iso(isos.both) })).uuid,
    /** Edits the VM as the other program. Returns the definition that it leaves. */
    async edit(uuid: string, from: RegExp = OURS, to = THEIRS): Promise<string> {
      const xml = await xmlOf(uuid);
      expect(xml).toMatch(from);
      await libvirt.domainDefineXmlFlags(xml.replace(from, to));
      return xmlOf(uuid);
    },
    refusalOf: (error: unknown) => (error as Refused).refusal,
    /** Removes a test's VM, so that looks at all VMs stay the same. */
    async removed(vm: string): Promise<void> {
      Object.assign(hooks, quiet());
      await testbed.call("delete_vm", { vm, force: true }).catch(() => undefined);
    },
    openOperations: async () =>
      (await testbed.call("list_operations", { status: ["begun", "unknown"] })).operations.map(({ tool }) => tool),
    async close(): Promise<void> {
      await testbed.close();
      await libvirt.close();
      await proxy.close();
      await daemon.stop();
      await rm(sockets, { recursive: true, force: true });
    },
  };
}
