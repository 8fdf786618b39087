/** Boot order. */
import type { BackendDefinition, BootConfig, VmDefinition } from "../../src/plugin.ts";
import { DEVICE_MODIFY } from "./client/libvirt.ts";
import { deviceXml, withBoot } from "./domain-xml.ts";
import { type LibvirtSession, mapConnectionErrors, options, requireUnchangedDomain } from "./session.ts";

export const bootHandlers: BackendDefinition<LibvirtSession>["changes"] = {
  "boot_order.set": {
    // A guest's reboot does not read the definition again, and a running device's boot number cannot change.
    running: "next_start",
    async apply(session, vm, { boot }, context) {
      const { libvirt } = session;
      await mapConnectionErrors(session, async () => {
        const { domain, xml } = await requireUnchangedDomain(session, vm!.uuid, context);
        const one = onlyDevice(session.parse(xml).definition, boot);
        if (one) {
          const update = deviceXml(xml, one.kind, one.target, { boot: one.order ?? false });
          await libvirt.domainUpdateDeviceFlags(domain, update, DEVICE_MODIFY.config, options(context.signal));
        } else {
          await libvirt.domainDefineXmlFlags(withBoot(xml, boot), 0, options(context.signal));
        }
      });
    },
  },
};

/** The disk or CD-ROM drive whose number has to change, if only one has to: the rest of the definition then stays. */
function onlyDevice(definition: VmDefinition, boot: BootConfig) {
  const now = definition.boot;
  if (now.style !== "device" || boot.style !== "device") return undefined;
  const number = (config: BootConfig, device: string) => config.entries.find((entry) => entry.device === device)?.order;
  const devices = [...new Set([...now.entries, ...boot.entries].map(({ device }) => device))];
  const [changed, ...more] = devices.filter((device) => number(now, device) !== number(boot, device));
  const [kind, target] = changed?.split(":", 2) ?? [];
  if (changed === undefined || more.length || target === undefined || (kind !== "disk" && kind !== "cdrom"))
    return undefined;
  // Without any per-device number libvirt would add <boot dev='hd'/> by itself.
  if (boot.entries.length === 0) return undefined;
  return { kind: kind as "disk" | "cdrom", target, order: number(boot, changed) };
}
