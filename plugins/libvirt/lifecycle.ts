/** Defining and undefining VMs, and the claim tag in their metadata. */
import { type ApplyContext, type BackendDefinition, DomainError } from "../../src/plugin.ts";
import { acceleratorFor } from "./acceleration.ts";
import { DOMAIN_AFFECT, DOMAIN_DEFINE, DOMAIN_UNDEFINE, METADATA_TYPE } from "./client/libvirt.ts";
import { buildDomain, CLAIM_NAMESPACE, CLAIM_PREFIX, claimXml } from "./domain-xml.ts";
import { observeVm } from "./observe.ts";
import { type LibvirtSession, mapConnectionErrors, options, requireUnchangedDomain } from "./session.ts";

export const lifecycleHandlers: BackendDefinition<LibvirtSession>["changes"] = {
  "vm.create": {
    running: "now",
    async apply(session, _vm, { spec }, { signal, progress }) {
      await mapConnectionErrors(session, async () => {
        const { acceleration, ...rest } = spec;
        const accelerator = await acceleratorFor(session, acceleration, progress, signal);
        await session.libvirt.domainDefineXmlFlags(
          buildDomain({ ...rest, accelerator }),
          DOMAIN_DEFINE.validate,
          options(signal),
        );
      });
    },
  },
  "vm.delete": {
    running: "refused",
    async apply(session, vm, _change, context) {
      await mapConnectionErrors(session, async () => {
        const { domain } = await requireUnchangedDomain(session, vm!.uuid, context);
        // libvirt would let it run without a definition, and it would vanish when it ends.
        if (await session.libvirt.domainIsActive(domain, options(context.signal)))
          throw new DomainError("VM_MUST_BE_OFF", { vm: vm!.name, change: "vm.delete" });
        // libvirt refuses each of these without its flag, and all of them are useless without the VM.
        const flags =
          DOMAIN_UNDEFINE.managedSave |
          DOMAIN_UNDEFINE.nvram |
          DOMAIN_UNDEFINE.tpm |
          DOMAIN_UNDEFINE.snapshotsMetadata |
          DOMAIN_UNDEFINE.checkpointsMetadata;
        await session.libvirt.domainUndefineFlags(domain, flags, options(context.signal));
      });
    },
  },
  "vm.rename": {
    running: "refused",
    async apply(session, vm, { name }, context) {
      await mapConnectionErrors(session, async () => {
        const { domain } = await requireUnchangedDomain(session, vm!.uuid, context);
        // libvirt refuses the present name.
        if (domain.name !== name) await session.libvirt.domainRename(domain, name, options(context.signal));
      });
    },
  },
  "claim.write": {
    running: "now",
    async apply(session, vm, { tag }, context) {
      await mapConnectionErrors(session, async () => {
        const { domain } = await requireUnchangedDomain(session, vm!.uuid, context);
        // The running definition has its own copy of the tag, which a snapshot or a migration would preserve.
        const flags = DOMAIN_AFFECT.config | (vm!.live ? DOMAIN_AFFECT.live : 0);
        const metadata = tag ? { metadata: claimXml(tag), key: CLAIM_PREFIX } : {};
        await session.libvirt.domainSetMetadata(
          domain,
          { type: METADATA_TYPE.element, uri: CLAIM_NAMESPACE, ...metadata },
          flags,
          options(context.signal),
        );
      });
    },
  },
};

/** Puts back the whole definition of a VM that is gone, or of a VM that is still as expected. */
export async function importDefinition(
  session: LibvirtSession,
  uuid: string,
  xml: string,
  context: ApplyContext,
): Promise<void> {
  if (context.expect !== undefined) await requireUnchangedDomain(session, uuid, context);
  // A define would overwrite a VM that another program made under this UUID meanwhile.
  else if (await observeVm(session, uuid, context.signal)) throw new DomainError("VM_CHANGED_MEANWHILE", { vm: uuid });
  await mapConnectionErrors(session, async () => {
    await session.libvirt.domainDefineXmlFlags(xml, 0, options(context.signal));
  });
}
