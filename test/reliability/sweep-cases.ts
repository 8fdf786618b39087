/** What is swept: one operation of each kind of change, and the operations of several steps that tools make. */

import type { Change, ChangeKind } from "../../src/domain/changes/catalogue.ts";
import { transitionChanges } from "../../src/domain/changes/installation.ts";
import { restoreChangeOf } from "../../src/domain/changes/restore.ts";
import type { Request } from "../../src/domain/engine/operate.ts";
import { DomainError } from "../../src/domain/error.ts";
import type { Target } from "../../src/domain/model/vm.ts";
import type { Ports } from "../../src/domain/ports/operation-ports.ts";
import { callTool } from "../../src/tools/call.ts";
import { allTools } from "../../src/tools/catalogue.ts";
import type { ToolContext } from "../../src/tools/tool.ts";
import { perform } from "../domain/engine/faults.ts";
import { type Asked, callOf } from "../support/call.ts";
import { withJobs } from "../support/jobs.ts";
import { defineVm, editDefinition, putDisk, saveState } from "../support/simulator.ts";
import { AT, diskPath, GIB, isos, orderChange, target, uuid, vmDefinition, vmSpec } from "../support/world.ts";
import { type Fault, faulty } from "./sweep-fault.ts";
import type { Fixture } from "./sweep-world.ts";

export type SweptCase = Readonly<{
  /** Brings about the state that the case begins with. */
  prepare: (fixture: Fixture, ports: Ports) => Promise<unknown>;
  /** The operation, with the confirmation that it asks for. Rejects with what the caller is told. */
  act: (ports: Ports) => Promise<unknown>;
  /** The VM that the case makes, where it makes one. */
  at?: Target;
  /** The operation was left by a process that ended, and the call is the next look. */
  left?: boolean;
  /** The change that is refused where the operation is to fail at its end. */
  last?: (change: Change) => boolean;
}>;

/** Makes the call again with the confirmation, as a client does once its user has agreed. */
async function agreeing<T>(call: (confirm?: string) => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== "CONFIRMATION_REQUIRED") throw error;
    return call((error as DomainError<"CONFIRMATION_REQUIRED">).details.confirm);
  }
}

const changing =
  (intent: Request["intent"] | readonly Change[], more: Asked = {}): SweptCase["act"] =>
  (ports) =>
    agreeing((confirm) => perform(ports, target, intent, { ...more, ...(confirm !== undefined && { confirm }) }));

export const contextOf = (ports: Ports): ToolContext =>
  withJobs({
    connections: {
      names: ["local"],
      capabilities: () => ports.backend.capabilities,
      backend: async () => ports.backend,
    },
    plugins: { list: async () => [] },
    store: async () => ports.store,
    call: callOf("test"),
    newId: ports.newId,
    now: ports.now,
    claimWaitMs: ports.claimWaitMs,
  });

const calling =
  (tool: string, args: Record<string, unknown>): SweptCase["act"] =>
  (ports) =>
    agreeing((confirm) =>
      callTool(allTools, tool, { ...args, ...(confirm !== undefined && { confirm }) }, contextOf(ports)),
    );

// The states that cases begin with.
const serialLog = `/memory/images/${uuid}.serial.log`;
const spec = vmSpec();
const create = (isoPath?: string) => async (_fixture: Fixture, ports: Ports) => {
  const made = { ...spec, ...(isoPath !== undefined && { isoPath }) };
  await perform(
    ports,
    target,
    [
      { kind: "disk.create", path: diskPath, sizeBytes: 20 * GIB },
      { kind: "vm.create", spec: made, ownedFiles: [diskPath, serialLog], at: AT },
    ],
    { look: { diskPaths: [diskPath], isoPaths: isoPath === undefined ? [] : [isoPath] } },
  );
};
const off = create();
const nothing = async () => {};
const running = async (fixture: Fixture, ports: Ports) => {
  await create(isos.installer)(fixture, ports);
  await perform(ports, target, (now) => [
    ...transitionChanges(now, "start_installation"),
    { kind: "power.start", purpose: "install", at: AT },
  ]);
};
const foreign = async ({ session }: Fixture) => {
  putDisk(session, { path: diskPath });
  defineVm(session, { uuid, name: "web", next: vmDefinition() });
};
const withoutDrive = async (fixture: Fixture, ports: Ports) => {
  await off(fixture, ports);
  editDefinition(fixture.session, uuid, (next) => ({ ...next, drives: [] }));
};

const withHistory = async (fixture: Fixture, ports: Ports) => {
  await off(fixture, ports);
  await perform(ports, target, (now) => [orderChange(now, "hd")]);
};

const withLog = async (fixture: Fixture, ports: Ports) => {
  await running(fixture, ports);
  putDisk(fixture.session, { path: serialLog });
};

const stop: Change = { kind: "power.stop", force: true, timeoutMs: 0 };
const second = "/memory/images/second.qcow2";

/** The case of every kind of change: a new kind does not compile until it has one. */
export const kindCases: Record<ChangeKind, SweptCase> = {
  "vm.create": {
    prepare: async ({ session }) => putDisk(session, { path: diskPath }),
    act: changing([{ kind: "vm.create", spec, ownedFiles: [diskPath, serialLog], at: AT }]),
  },
  "vm.adopt": { prepare: foreign, act: changing([{ kind: "vm.adopt", at: AT }]) },
  "vm.delete": { prepare: off, act: changing([{ kind: "vm.delete" }]) },
  "power.start": { prepare: create(isos.live), act: changing([{ kind: "power.start", purpose: "live", at: AT }]) },
  "power.stop": { prepare: running, act: changing([stop]) },
  "reboot_action.set": { prepare: running, act: changing([{ kind: "reboot_action.set", endsRun: true }]) },
  "saved_state.discard": {
    async prepare(fixture, ports) {
      await running(fixture, ports);
      saveState(fixture.session, uuid);
    },
    act: changing([{ kind: "saved_state.discard" }]),
  },
  "boot_order.set": { prepare: off, act: changing((now) => [orderChange(now, "hd")]) },
  "boot_order.adopt": {
    async prepare(fixture, ports) {
      await off(fixture, ports);
      const { boot } = vmDefinition({ order: "hd" });
      editDefinition(fixture.session, uuid, (next) => ({ ...next, boot }));
    },
    act: changing([{ kind: "boot_order.adopt", order: "hd" }]),
  },
  "media.set": {
    prepare: running,
    act: changing([{ kind: "media.set", drive: "sda", force: false, next: isos.live, live: isos.live }], {
      look: { isoPaths: [isos.live] },
    }),
  },
  "drive.add": { prepare: withoutDrive, act: changing([{ kind: "drive.add", target: "sdb", bus: "sata" }]) },
  "drive.remove": { prepare: off, act: changing([{ kind: "drive.remove", target: "sda" }]) },
  "installation.set": { prepare: off, act: changing([{ kind: "installation.set", transition: "complete" }]) },
  "installation.suggest": {
    prepare: running,
    act: changing([{ kind: "installation.suggest", evidence: "the disk has a boot record", by: "test", at: AT }]),
  },
  "claim.write": {
    prepare: off,
    act: changing([{ kind: "claim.write", tag: { uuid, revision: 1, status: "InstallationFailed" } }]),
  },
  "disk.create": {
    prepare: off,
    act: changing([{ kind: "disk.create", path: second, sizeBytes: GIB }], { look: { diskPaths: [second] } }),
  },
  "disk.delete": {
    async prepare(fixture, ports) {
      await off(fixture, ports);
      putDisk(fixture.session, { path: second });
    },
    act: changing([{ kind: "disk.delete", path: second }], { look: { diskPaths: [second] } }),
  },
  "definition.restore": {
    prepare: withHistory,
    async act(ports) {
      const [last] = await ports.store.operations({ target, limit: 1 });
      return changing([restoreChangeOf(last!)!])(ports);
    },
  },
  "vm.rename": { prepare: off, act: changing([{ kind: "vm.rename", name: "db" }]) },
  "record.reconcile": {
    prepare: off,
    act: changing([
      {
        kind: "record.reconcile",
        name: "db",
        status: "Installed",
        revision: 2,
        roles: { systemDisk: "vda", isoDrive: "sda" },
      },
    ]),
  },
  "disk.resize": {
    prepare: off,
    act: changing([{ kind: "disk.resize", disk: "vda", path: diskPath, sizeBytes: 40 * GIB }]),
  },
};

const made: Target = { connection: "local", uuid: "00000002-0000-4000-8000-000000000001" };
const vm = uuid;

const left =
  (fault: Fault, { prepare, act }: Pick<SweptCase, "prepare" | "act">): SweptCase["prepare"] =>
  async (fixture, ports) => {
    await prepare(fixture, ports);
    await act(faulty(ports, fault).ports).catch(() => undefined);
  };
const restart = [stop, { kind: "power.start", purpose: "install", at: AT }] as const satisfies Change[];
const lookOnly: SweptCase["act"] = (ports) => perform(ports, target, []);
const endsAfter = (call: string, nth = 1): Fault => ({ call, nth, mode: "is the last before the process ends" });

export const toolCases: Readonly<Record<string, SweptCase>> = {
  "create_vm with an ISO": {
    at: made,
    prepare: nothing,
    act: calling("create_vm", { name: "web", iso_path: "installer.iso", disk_size_gb: 20 }),
    last: ({ kind }) => kind === "vm.create",
  },
  adopt_vm: { prepare: foreign, act: calling("adopt_vm", { vm: "web" }), last: ({ kind }) => kind === "claim.write" },
  "start_vm with an ISO on the way": {
    prepare: off,
    act: calling("start_vm", { vm, iso_path: "installer.iso" }),
    last: ({ kind }) => kind === "power.start",
  },
  "complete_installation with order and eject": {
    prepare: running,
    act: calling("complete_installation", { vm, boot_order: "hd", detach_iso: true, accept: ["DISK_BLANK"] }),
    last: ({ kind }) => kind === "claim.write",
  },
  "set_boot_order with a restart": {
    prepare: running,
    act: calling("set_boot_order", { vm, boot_order: "hd_cdrom", restart: true, force: true }),
    last: ({ kind }) => kind === "power.start",
  },
  "attach_iso to a VM without a drive": {
    prepare: withoutDrive,
    act: calling("attach_iso", { vm, iso_path: "installer.iso", accept: ["NO_CDROM_DRIVE"] }),
    last: ({ kind }) => kind === "media.set",
  },
  resize_disk: { prepare: off, act: calling("resize_disk", { vm, size_gb: 40 }) },
  "delete_vm with its files": {
    prepare: withLog,
    act: calling("delete_vm", { vm, force: true }),
    last: ({ kind }) => kind === "disk.delete",
  },
  undo_operation: {
    prepare: withHistory,
    async act(ports) {
      const [last] = await ports.store.operations({ target, limit: 1 });
      return calling("undo_operation", { operation: last!.id })(ports);
    },
  },
  restore_definition: {
    prepare: withHistory,
    async act(ports) {
      const [last] = await ports.store.operations({ target, limit: 1 });
      return calling("restore_definition", { vm, operation: last!.id })(ports);
    },
    last: ({ kind }) => kind === "claim.write",
  },
  "repair_vm of a VM that is gone": {
    async prepare(fixture, ports) {
      await withHistory(fixture, ports);
      fixture.session.machines.delete(uuid);
    },
    act: calling("repair_vm", { vm, action: "put_back" }),
    last: ({ kind }) => kind === "claim.write",
  },
  "what is left of a restart": {
    prepare: left(endsAfter("apply power.stop"), { prepare: running, act: changing(restart) }),
    act: lookOnly,
    left: true,
  },
  "what is left of a deletion": {
    prepare: left(endsAfter("apply disk.delete"), { prepare: withLog, act: calling("delete_vm", { vm, force: true }) }),
    act: lookOnly,
    left: true,
  },
};

/** Those whose last step can be refused, where there is something to undo by then; a file that cannot be removed after
 * another was is past the point of no return. */
export const failingCases: Readonly<Record<string, SweptCase>> = {
  ...Object.fromEntries(Object.entries(toolCases).filter(([, { last }]) => last)),
  "delete_vm with its serial log": {
    prepare: withLog,
    act: calling("delete_vm", { vm, force: true }),
    last: (change) => change.kind === "disk.delete" && change.path === serialLog,
  },
};
