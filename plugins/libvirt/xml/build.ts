/** The definition of a new VM. */
import { definitionFor, type VmSpec } from "../../../src/plugin.ts";
import { withBoot } from "./boot.ts";
import { withClaim } from "./claim.ts";
import { driveElement } from "./media.ts";
import { element, indent, writeXml, type XmlNode } from "./tree.ts";

/** A new VM's specification, with the accelerator decided: `kvm` only if a guest really runs under it. */
export type DomainSpec = Omit<VmSpec, "acceleration"> & Readonly<{ accelerator: "kvm" | "tcg" }>;

/** Milliseconds after which a BIOS without a bootable device tries again, so that a medium inserted meanwhile boots.
 * Without it SeaBIOS stays at "No bootable device" for ever. UEFI ignores it. */
const REBOOT_TIMEOUT_MS = 10_000;

/** The definition of a new x86_64 VM, complete: q35, a qcow2 system disk, and a SATA CD-ROM drive that is there even
 * without an ISO, because none can be added to a running q35 machine. */
export function buildDomain(spec: DomainSpec): string {
  const kvm = spec.accelerator === "kvm";
  const domain = element("domain", { type: kvm ? "kvm" : "qemu" }, [
    element("name", {}, spec.name),
    element("uuid", {}, spec.uuid),
    element("memory", { unit: "KiB" }, String(Math.ceil(spec.memoryBytes / 1024))),
    element("vcpu", {}, String(spec.cpus)),
    osElement(spec),
    element("features", {}, [
      // Without ACPI there is no power button, and a shutdown request goes nowhere.
      element("acpi"),
      element("apic"),
      spec.firmware === "uefi_secure" ? element("smm", { state: "on" }) : undefined,
    ]),
    // `maximum` is everything that TCG can emulate; its default lacks features that today's systems require
    // (x86-64-v2).
    element("cpu", { mode: kvm ? "host-passthrough" : "maximum" }),
    element("clock", { offset: "utc" }, kvm ? timers() : []),
    element("on_poweroff", {}, "destroy"),
    element("on_reboot", {}, "restart"),
    element("on_crash", {}, "destroy"),
    element("devices", {}, devicesFor(spec)),
  ]);
  const xml = writeXml([indent(domain)]);
  // The planned definition decides the order, so that the read-back definition equals it.
  return withClaim(withBoot(xml, definitionFor({ ...spec, acceleration: spec.accelerator }).boot), spec.claim);
}

function osElement(spec: DomainSpec): XmlNode {
  const type = element("type", { arch: "x86_64", machine: "q35" }, "hvm");
  if (spec.firmware === "bios") return element("os", {}, [type, element("bios", { rebootTimeout: REBOOT_TIMEOUT_MS })]);
  // Both features are stated: `firmware='efi'` alone takes Secure Boot with Microsoft's keys where that descriptor
  // comes first, and unsigned installers then end in "Access Denied".
  const enabled = spec.firmware === "uefi_secure" ? "yes" : "no";
  const features = ["enrolled-keys", "secure-boot"].map((name) => element("feature", { enabled, name }));
  return element("os", { firmware: "efi" }, [type, element("firmware", {}, features)]);
}

/** The clock that virt-install gives KVM guests: ticks that were missed are caught up, and no HPET, which costs CPU
 * time in an idle guest. */
const timers = (): XmlNode[] => [
  element("timer", { name: "rtc", tickpolicy: "catchup" }),
  element("timer", { name: "pit", tickpolicy: "delay" }),
  element("timer", { name: "hpet", present: "no" }),
];

const devicesFor = (spec: DomainSpec): (XmlNode | undefined)[] => [
  element("disk", { type: "file", device: "disk" }, [
    // QEMU's own cache default (writeback, flushes honoured) is safe and works on file systems without O_DIRECT. With
    // discard the image shrinks as the guest frees space.
    element("driver", { name: "qemu", type: "qcow2", discard: "unmap" }),
    element("source", { file: spec.diskPath }),
    element("target", { dev: spec.diskTarget, bus: spec.diskBus }),
  ]),
  driveElement(spec.driveTarget, "sata", spec.isoPath),
  // libvirt's default SCSI controller is an LSI 53C895A, for which today's guests have no driver.
  spec.diskBus === "scsi" ? element("controller", { type: "scsi", index: 0, model: "virtio-scsi" }) : undefined,
  element("controller", { type: "usb", index: 0, model: "qemu-xhci" }),
  interfaceFor(spec.network),
  element("serial", { type: "pty" }, [
    element("log", { file: spec.serialLog, append: "off" }),
    element("target", { type: "isa-serial", port: 0 }),
  ]),
  element("channel", { type: "unix" }, [element("target", { type: "virtio", name: "org.qemu.guest_agent.0" })]),
  element("input", { type: "tablet", bus: "usb" }),
  spec.tpm
    ? element("tpm", { model: "tpm-crb" }, [element("backend", { type: "emulator", version: "2.0" })])
    : undefined,
  // Every user of the host, and a guest on user-mode networking, could reach a port on loopback.
  element("graphics", { type: "vnc" }, [element("listen", { type: "socket" })]),
  // The one card that BIOS, UEFI and every installer can draw on from the first moment.
  element("video", {}, [element("model", { type: "vga" })]),
  element("memballoon", { model: "virtio" }),
  element("rng", { model: "virtio" }, [element("backend", { model: "random" }, "/dev/urandom")]),
];

function interfaceFor(network: DomainSpec["network"]): XmlNode | undefined {
  if (network === "none") return undefined;
  const model = element("model", { type: "virtio" });
  if (network === "user") return element("interface", { type: "user" }, [model]);
  const [type, name] = network.split(":") as ["network" | "bridge", string];
  return element("interface", { type }, [element("source", { [type]: name }), model]);
}
