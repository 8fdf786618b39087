// VMs on a daemon of the tests' own, a server that reaches it through a proxy which tells of every call, and the other
// program: a second client, past the proxy.

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
/** What the other program's edit is seen by. */
export const THEIRS = "<vcpu placement='static'>2</vcpu>";

export type Hooks = {
  /** Before each call is passed on to the daemon. */
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
    /** What the other program does; answers with the definition that it leaves. */
    async edit(uuid: string, from: RegExp = OURS, to = THEIRS): Promise<string> {
      const xml = await xmlOf(uuid);
      expect(xml).toMatch(from);
      await libvirt.domainDefineXmlFlags(xml.replace(from, to));
      return xmlOf(uuid);
    },
    refusalOf: (error: unknown) => (error as Refused).refusal,
    /** Every VM of a test is removed by it, so that looks at all VMs stay the same. */
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
