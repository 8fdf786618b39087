/** Takes existing VMs under management: foreign ones, or those of a lost database. */
import { z } from "zod";
import type { Change } from "../domain/changes/catalogue.ts";
import { startDeadline } from "../domain/deadline.ts";
import { DomainError } from "../domain/error.ts";
import { InstallationStatus } from "../domain/model/installation.ts";
import { type Vm, VmRef } from "../domain/model/vm.ts";
import type { Backend } from "../domain/ports/backend.ts";
import type { Images } from "../domain/ports/images.ts";
import { ChangeView, changeInput, changeTarget, viewOutcome } from "./change.ts";
import { backendFor, connectionInput, findVm } from "./find-vm.ts";
import { callLimitMs, defineTool, type ToolContext } from "./tool.ts";

type Input = Readonly<{ dry_run: boolean; accept: readonly string[] }>;

/** Takes one VM under management, with the status in its metadata tag if it has no record. */
async function adopt(context: ToolContext, ref: string, tool: string, input: Input): Promise<ChangeView> {
  const found = await findVm(context, ref);
  const outcome = await changeTarget(context, found, {
    tool,
    input: { ...input },
    intent(state): Change[] {
      if (!state.vm) throw new DomainError("VM_GONE", { vm: ref });
      if (!state.vm.persistent) throw new DomainError("VM_TRANSIENT", { vm: state.vm.name });
      if (state.record) return [];
      const known = knownFromTag(state.vm, found.backend.images);
      const { status = "NotInstalled", revision = 1 } = known ?? {};
      return [
        { kind: "claim.write", tag: { uuid: state.vm.uuid, revision, status } },
        { kind: "vm.adopt", at: context.now().toISOString(), ...(known && { known }) },
      ];
    },
  });
  const { vm } = outcome.before;
  const tagged = outcome.changed && vm && knownFromTag(vm, found.backend.images);
  return {
    ...viewOutcome(outcome, input.dry_run, [{ tool: "complete_installation", arguments: { vm: found.target.uuid } }]),
    ...(tagged && { notes: [`The status ${tagged.status} (revision ${tagged.revision}) comes from its metadata tag`] }),
  };
}

/** The facts in a VM's own tag. A tag with another VM's UUID was copied and is ignored. Files with the names that Bootwright
 * gives are Bootwright's. */
export function knownFromTag({ uuid, claim, next }: Vm, images: Pick<Images, "pathFor">) {
  const status = InstallationStatus.safeParse(claim?.status);
  if (claim?.uuid !== uuid || claim.revision < 1 || !status.success) return undefined;
  const disk = images.pathFor(uuid, "qcow2");
  const made = next.disks.some(({ path }) => path === disk);
  const log = images.pathFor(uuid, "serial.log");
  return {
    status: status.data,
    revision: claim.revision,
    origin: made ? ("created" as const) : ("adopted" as const),
    ownedFiles: made ? [disk, ...(next.serialLog === log ? [log] : [])] : [],
  };
}

/** The most VMs that one call adopts. */
const ADOPTED_MAX = 1_000;

const Adopted = z.object({
  adopted: z.array(ChangeView),
  refused: z.array(z.object({ vm: z.string(), reason: z.string() })),
  left: z.number().optional().describe("VMs left for another call"),
});

/** Adopts the VMs one after another. A refused VM does not stop the others. */
export async function adoptEach(
  context: ToolContext,
  { connection }: Backend,
  vms: readonly Vm[],
  tool: string,
  input: Input,
): Promise<z.input<typeof Adopted>> {
  const adopted: ChangeView[] = [];
  const refused: { vm: string; reason: string }[] = [];
  const { call } = context;
  for (const { uuid, name } of vms.slice(0, ADOPTED_MAX)) {
    call.signal.throwIfAborted();
    if (call.deadline.signal.aborted) break;
    call.progress(`adopting ${name}`);
    const deadline = startDeadline(callLimitMs.change, call.deadline.signal);
    try {
      adopted.push(await adopt({ ...context, call: { ...call, deadline } }, `${connection}/${uuid}`, tool, input));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      refused.push({ vm: name, reason: `${error.code}: ${error.message}` });
    } finally {
      deadline.end();
    }
  }
  const left = vms.length - adopted.length - refused.length;
  return { adopted, refused, ...(left > 0 && { left }) };
}

/** The VMs of a connection without a record. */
export async function unrecorded(context: ToolContext, backend: Backend): Promise<Vm[]> {
  const store = await context.store();
  const managed = new Set((await store.records(backend.connection)).map(({ uuid }) => uuid));
  return (await backend.list(context.call.deadline.signal)).filter(({ uuid }) => !managed.has(uuid));
}

const adoptVm = defineTool({
  name: "adopt_vm",
  title: "Adopt VM",
  description:
    "Take an existing VM under management, or all VMs of a connection. Boot order, disk and medium are read from the VM. The status is the one in its metadata tag, else NotInstalled. Only that tag changes.",
  effect: "change",
  needs: ["claim.write"],
  several: true,
  http: { method: "POST", path: "/vms/adopt" },
  input: z.object({
    vm: VmRef.optional(),
    all: z.boolean().default(false).describe("Adopt every VM of the connection"),
    connection: connectionInput,
    ...changeInput,
  }),
  output: Adopted,
  async run(input, context) {
    if ((input.vm === undefined) === !input.all)
      throw new DomainError("INPUT_INVALID", { issues: ["give either vm or all: true"] });
    if (input.vm !== undefined) return { adopted: [await adopt(context, input.vm, "adopt_vm", input)], refused: [] };
    const backend = await backendFor(context, input.connection);
    return adoptEach(context, backend, await unrecorded(context, backend), "adopt_vm", input);
  },
});

export const adoptionTools = [adoptVm];
