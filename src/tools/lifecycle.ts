/** Creates and deletes VMs. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { vmOf } from "../domain/changes/change.ts";
import { Acceleration, DiskBus, Network, targetsFor } from "../domain/changes/lifecycle.ts";
import { DomainError } from "../domain/error.ts";
import { PresetOrder } from "../domain/model/boot-order.ts";
import { bytesOf, SizeGb } from "../domain/model/size.ts";
import { type State, usersAt } from "../domain/model/state.ts";
import { Firmware, VmName } from "../domain/model/vm.ts";
import type { Backend } from "../domain/ports/backend.ts";
import { ChangeView, changeInput, changeTarget, confirmInput, viewOutcome, vmChangeInput } from "./change.ts";
import { backendFor, connectionInput, type FoundVm, findVm, pastVm } from "./find-vm.ts";
import { isoInput } from "./media.ts";
import { defineTool, type ToolContext } from "./tool.ts";
import { viewVm } from "./view.ts";

/** Usually all operations of one VM. */
const OPERATIONS_LOOKED_AT = 200;

const createVm = defineTool({
  name: "create_vm",
  title: "Create VM",
  description:
    "Create a VM with an empty qcow2 disk and a CD-ROM drive, which holds an ISO if iso_path is given. The VM is not started; start_vm runs the installer.",
  effect: "change",
  needs: ["disk.create", "vm.create"],
  http: { method: "POST", path: "/vms" },
  input: z.object({
    name: VmName,
    disk_size_gb: SizeGb.default(20),
    iso_path: isoInput.optional(),
    boot_order: PresetOrder.default("cdrom_hd"),
    memory_mb: z.number().int().min(64).max(16_777_216).default(2048).describe("Memory in MiB"),
    cpus: z.number().int().min(1).max(512).default(2),
    firmware: Firmware.default("bios"),
    tpm: z.boolean().default(false).describe("Add an emulated TPM 2.0"),
    disk_bus: DiskBus.default("virtio"),
    network: Network.default("user"),
    acceleration: Acceleration.default("auto"),
    connection: connectionInput,
    ...changeInput,
  }),
  output: ChangeView,
  async run(input, context) {
    const backend = await backendFor(context, input.connection);
    const iso = input.iso_path === undefined ? undefined : await backend.images.resolveIso(input.iso_path);
    const sizeBytes = bytesOf(input.disk_size_gb);
    await requireHostFits(backend, input, sizeBytes, context.call.deadline.signal);
    const taken = await backend.lookup(input.name, context.call.deadline.signal);
    if (taken !== undefined)
      throw new DomainError("VM_EXISTS", { name: input.name, connection: backend.connection, uuid: taken });
    const uuid = context.newId();
    const diskPath = backend.images.pathFor(uuid, "qcow2");
    const spec = {
      uuid,
      name: input.name,
      memoryBytes: input.memory_mb * 1024 ** 2,
      cpus: input.cpus,
      firmware: input.firmware,
      tpm: input.tpm,
      diskPath,
      diskBus: input.disk_bus,
      ...targetsFor(input.disk_bus),
      network: input.network,
      order: input.boot_order,
      ...(iso !== undefined && { isoPath: iso }),
      serialLog: backend.images.pathFor(uuid, "serial.log"),
      acceleration: input.acceleration,
      claim: { uuid, revision: 1, status: "NotInstalled" },
    };
    const at = context.now().toISOString();
    const store = await context.store();
    const outcome = await changeTarget(
      context,
      { backend, store, target: { connection: backend.connection, uuid } },
      {
        tool: "create_vm",
        input,
        observe: { diskPaths: [diskPath], isoPaths: iso === undefined ? [] : [iso] },
        intent: (): Change[] => [
          { kind: "disk.create", path: diskPath, sizeBytes },
          { kind: "vm.create", spec, ownedFiles: [diskPath, spec.serialLog], at },
        ],
      },
    );
    const next =
      iso === undefined
        ? { tool: "attach_iso", arguments: { vm: uuid, iso_path: "<an ISO from list_isos>" } }
        : { tool: "start_vm", arguments: { vm: uuid } };
    const answer = viewOutcome(outcome, input.dry_run, [next]);
    return input.dry_run ? { ...answer, vm: viewVm(outcome.plan.goal) } : answer;
  },
});

/** @throws DomainError HOST_TOO_SMALL, HOST_SPACE_LACKING */
async function requireHostFits(
  backend: Backend,
  asked: { memory_mb: number; cpus: number },
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const [host, space] = await Promise.all([backend.host(signal), backend.images.space()]);
  const { connection } = backend;
  const memoryMb = host && Math.floor(host.memoryBytes / 1024 ** 2);
  if (memoryMb !== undefined && asked.memory_mb > memoryMb)
    throw new DomainError("HOST_TOO_SMALL", { connection, what: "memory_mb", asked: asked.memory_mb, has: memoryMb });
  // More virtual CPUs than the host has are slow but valid. Sixteen times as many are a typing error.
  if (host && asked.cpus > host.cpus * 16)
    throw new DomainError("HOST_TOO_SMALL", { connection, what: "cpus", asked: asked.cpus, has: host.cpus * 16 });
  if (sizeBytes > space.totalBytes) {
    throw new DomainError("HOST_SPACE_LACKING", {
      path: backend.images.imageDirectory,
      neededBytes: sizeBytes,
      freeBytes: space.totalBytes,
    });
  }
}

const deleteVm = defineTool({
  name: "delete_vm",
  title: "Delete VM",
  description:
    "Delete a managed VM and the files that Bootwright made for it. ISOs and disks of adopted VMs always stay. The VM must be off, or force cuts its power. Needs confirmation of the exact list, which dry_run shows.",
  effect: "destroy",
  needs: ["vm.delete"],
  http: { method: "DELETE", path: "/vms/{vm}" },
  input: z.object({
    ...vmChangeInput,
    keep_files: z.boolean().default(false).describe("Keep the disk"),
    force: z.boolean().default(false).describe("Cut the power of a running VM first"),
    ...confirmInput,
  }),
  output: ChangeView,
  async run(input, context) {
    const { found, owned, unmade } = await deletable(context, input.vm);
    const outcome = await changeTarget(context, found, {
      tool: "delete_vm",
      input,
      observe: { usage: true, diskPaths: owned },
      intent(state): Change[] {
        const ours = state.record !== undefined || (unmade && isTagged(state));
        if (!ours) throw new DomainError("VM_NOT_MANAGED", { vm: state.vm?.name ?? input.vm });
        const changes: Change[] = [];
        if (state.vm && vmOf(state).power !== "off") {
          if (!input.force) throw new DomainError("VM_MUST_BE_OFF", { vm: state.vm.name, change: "vm.delete" });
          changes.push({ kind: "power.stop", force: true, timeoutMs: 0 });
        }
        changes.push({ kind: "vm.delete" });
        if (input.keep_files) return changes;
        return [
          ...changes,
          ...removable(state, state.record?.ownedFiles ?? owned).map((path): Change => ({ kind: "disk.delete", path })),
        ];
      },
    });
    return viewOutcome(outcome, input.dry_run, [{ tool: "list_vms", arguments: {} }]);
  },
});

type Deletable = Readonly<{ found: FoundVm; owned: readonly string[]; unmade: boolean }>;

/** The VM, and the files that Bootwright made for it: those on record, or those that a failed creation left behind.
 * @throws DomainError as findVm() does */
async function deletable(context: ToolContext, ref: string): Promise<Deletable> {
  const found = await findVm(context, ref).catch(async (error: unknown) => {
    const past = error instanceof DomainError && error.code === "VM_NOT_FOUND" && (await pastVm(context, ref));
    if (!past) throw error;
    const [backend, store] = await Promise.all([context.connections.backend(past.connection), context.store()]);
    if (!(await filesLeftBehind({ store, target: past }))) throw error;
    return { backend, store, target: past };
  });
  const record = await found.store.record(found.target);
  const left = record ? undefined : await filesLeftBehind(found);
  return { found, owned: record?.ownedFiles ?? left ?? [], unmade: left !== undefined };
}

/** The files of a failed creation whose rollback failed, unless the VM was deleted or adopted since. */
async function filesLeftBehind({ store, target }: Pick<FoundVm, "store" | "target">): Promise<string[] | undefined> {
  const operations = await store.operations({ target, limit: OPERATIONS_LOOKED_AT });
  if (operations[0]?.status === "applied") return undefined;
  const creation = operations.find(
    ({ status, steps }) => status === "rollback_failed" && steps.some(({ change }) => change.kind === "vm.create"),
  );
  return creation?.steps.filter(({ status }) => status !== "undone").flatMap(({ artifacts }) => artifacts);
}

/** Whether the definition, if there is one, has the tag of its creation. */
const isTagged = ({ vm, target }: State): boolean => vm === undefined || vm.claim?.uuid === target.uuid;

/** The existing files that Bootwright made for this VM. @throws DomainError IMAGE_REFUSED if another VM uses one */
function removable(state: State, owned: readonly string[]): string[] {
  for (const path of owned) {
    const usage = usersAt(state, path);
    const others = [...new Set([...(usage?.clones ?? []), ...(usage?.owners ?? [])])];
    if (others.length)
      throw new DomainError("IMAGE_REFUSED", {
        path,
        reason: `the disks of ${others.join(", ")} use it; pass keep_files`,
      });
  }
  return owned.filter((path) => state.disks[path]?.state !== "missing");
}

export const lifecycleTools = [createVm, deleteVm];
