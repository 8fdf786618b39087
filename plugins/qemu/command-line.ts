/** A definition as QEMU's command line. Pure: the same definition, the same list of arguments. */
import { createHash } from "node:crypto";
import { bootSequence } from "../../src/plugin.ts";
import { type Accelerator, asDomain, type Definition, letterOf } from "./definition.ts";
import type { UefiFirmware } from "./firmware.ts";
import type { VmPaths } from "./vm-paths.ts";

/** Milliseconds after which a BIOS without a bootable device tries again, so that a medium inserted meanwhile boots.
 * Without it SeaBIOS stays at "No bootable device" for ever. UEFI ignores it. */
const REBOOT_TIMEOUT_MS = 10_000;

export type Surroundings = Readonly<{ paths: VmPaths; firmware?: UefiFirmware | undefined }>;

export function commandLine(definition: Definition, { paths, firmware }: Surroundings): string[] {
  const { name, uuid, accelerator, memoryBytes, cpus } = definition;
  return [
    ...["-name", `guest=${name}`, "-uuid", uuid],
    // No configuration file of the user or the host may add a device.
    ...["-no-user-config", "-nodefaults", "-display", "none"],
    ...["-machine", machineOf(accelerator, firmware), "-cpu", cpuOf(accelerator)],
    ...["-m", `size=${Math.ceil(memoryBytes / 1024)}k`, "-smp", String(cpus)],
    ...clock(accelerator),
    ...["-boot", `strict=on${definition.firmware === "bios" ? `,reboot-timeout=${REBOOT_TIMEOUT_MS}` : ""}`],
    ...(firmware ? flash(firmware, paths) : []),
    ...monitors(paths),
    ...storage(definition),
    ...network(definition),
    ...lines(definition, paths),
    ...(definition.tpm ? tpm(paths) : []),
    ...["-device", `virtio-balloon-pci,${at(PCI_SLOT.balloon)},id=balloon`, "-object", "rng-builtin,id=rng0"],
    ...["-device", `virtio-rng-pci,${at(PCI_SLOT.rng)},rng=rng0,id=rng`],
    ...["-daemonize", "-pidfile", paths.pid],
  ];
}

/** Each device's slot on the PCI bus. A slot that QEMU chose would move when a device is added, and rename a guest's
 * network cards; the guest's agent also names a disk by its slot. */
export const PCI_SLOT = { video: 1, network: 2, ports: 3, usb: 4, balloon: 5, rng: 6, scsi: 7, disk: 16 } as const;
const at = (slot: number) => `bus=pcie.0,addr=0x${slot.toString(16)}`;

/** In QEMU's lists of options a comma is written twice. */
const value = (text: string) => text.replaceAll(",", ",,");

const machineOf = (accelerator: Accelerator, firmware: UefiFirmware | undefined) =>
  [
    `q35,accel=${accelerator}`,
    ...(firmware ? ["pflash0=firmware-code", "pflash1=firmware-variables"] : []),
    ...(firmware?.needsSmm ? ["smm=on"] : []),
  ].join(",");

/** `max` is everything that TCG can emulate; its default lacks features that today's systems require (x86-64-v2). */
export const cpuOf = (accelerator: Accelerator) => (accelerator === "tcg" ? "max" : "host");

/** The clock that virt-install gives KVM guests: ticks that were missed are caught up. */
const clock = (accelerator: Accelerator) => [
  ...["-rtc", accelerator === "kvm" ? "base=utc,driftfix=slew" : "base=utc"],
  ...(accelerator === "kvm" ? ["-global", "kvm-pit.lost_tick_policy=delay"] : []),
];

const blockdev = (options: object) => ["-blockdev", JSON.stringify(options)];

function flash(firmware: UefiFirmware, paths: VmPaths): string[] {
  const file = (filename: string) => ({ driver: "file", filename });
  return [
    ...blockdev({
      driver: firmware.codeFormat,
      "node-name": "firmware-code",
      "read-only": true,
      file: file(firmware.code),
    }),
    ...blockdev({
      driver: firmware.variablesFormat,
      "node-name": "firmware-variables",
      "read-only": false,
      file: file(paths.variables),
    }),
    ...(firmware.needsSmm
      ? [
          ...["-global", "driver=cfi.pflash01,property=secure,value=on"],
          // OVMF cannot resume from S3 with system management mode on.
          ...["-global", "ICH9-LPC.disable_s3=1"],
        ]
      : []),
  ];
}

/** Two monitors: commands over a socket, for one session at a time, and events into a file that any number of processes
 * may follow, later ones included. The second monitor's "pipe" is two regular files: it reads its negotiation from one
 * and then writes every event to the other. */
const monitors = (paths: VmPaths) => [
  ...["-chardev", `socket,id=qmp,path=${value(paths.qmp)},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
  ...["-chardev", `pipe,id=events,path=${value(paths.events)}`, "-mon", "chardev=events,mode=control"],
];

export const diskNode = (target: string) => `disk-${target}`;
/** The node of a disk's file; offsets in it are those of the file, not of the guest. */
export const fileNode = (target: string) => `file-${target}`;

function storage(definition: Definition): string[] {
  const sequence = bootSequence(asDomain(definition));
  const bootIndexOption = (ref: string) => {
    const index = sequence.indexOf(ref);
    return index < 0 ? "" : `,bootindex=${index + 1}`;
  };
  const { disks, drives } = definition;
  const scsi = [...disks, ...drives].some(({ bus }) => bus === "scsi");
  return [
    ...(scsi ? ["-device", `virtio-scsi-pci,${at(PCI_SLOT.scsi)},id=scsi`] : []),
    ...disks.flatMap(({ target, bus, path, format, readOnly }) => [
      ...blockdev({
        driver: format,
        "node-name": diskNode(target),
        "read-only": readOnly,
        // The image shrinks as the guest frees space.
        discard: "unmap",
        file: { driver: "file", "node-name": fileNode(target), filename: path, discard: "unmap" },
      }),
      ...[
        "-device",
        `${diskDevice[bus](target)},drive=${diskNode(target)},id=${target}${bootIndexOption(`disk:${target}`)}`,
      ],
    ]),
    ...drives.flatMap(({ target, bus, path }) => [
      ...(path === undefined
        ? []
        : blockdev({
            driver: "raw",
            "node-name": `medium-${target}`,
            "read-only": true,
            file: { driver: "file", filename: path },
          })),
      ...[
        "-device",
        `${driveDevice[bus](target)}${path === undefined ? "" : `,drive=medium-${target}`},id=${target}${bootIndexOption(`cdrom:${target}`)}`,
      ],
    ]),
  ];
}

const sata = (target: string) => `bus=ide.${letterOf(target)}`;
const scsiUnit = (target: string) => `bus=scsi.0,scsi-id=${letterOf(target)}`;
const diskDevice = {
  // The board uses the last slots itself.
  virtio: (target: string) => {
    const slot = PCI_SLOT.disk + letterOf(target);
    return slot < 31 ? `virtio-blk-pci,${at(slot)}` : "virtio-blk-pci";
  },
  sata: (target: string) => `ide-hd,${sata(target)}`,
  scsi: (target: string) => `scsi-hd,${scsiUnit(target)}`,
};
const driveDevice = {
  sata: (target: string) => `ide-cd,${sata(target)}`,
  scsi: (target: string) => `scsi-cd,${scsiUnit(target)}`,
};

function network(definition: Definition): string[] {
  if (definition.network === "none") return [];
  const place = bootSequence(asDomain(definition)).indexOf("class:network");
  const boot = place < 0 ? "" : `,bootindex=${place + 1}`;
  return [
    ...["-netdev", "user,id=net0"],
    ...["-device", `virtio-net-pci,${at(PCI_SLOT.network)},netdev=net0,id=net,mac=${macOf(definition.uuid)}${boot}`],
  ];
}

/** The MAC address, the same at every start, since guests recognise their network by it. 52:54:00 is QEMU's prefix. */
export function macOf(uuid: string): string {
  const digest = createHash("sha256").update(uuid).digest("hex");
  return ["52", "54", "00", digest.slice(0, 2), digest.slice(2, 4), digest.slice(4, 6)].join(":");
}

const lines = ({ serialLog }: Definition, paths: VmPaths) => {
  const socket = (id: string, path: string) => `socket,id=${id},path=${value(path)},server=on,wait=off`;
  return [
    ...["-chardev", `${socket("com1", paths.serial)},logfile=${value(serialLog)},logappend=off`],
    ...["-device", "isa-serial,chardev=com1,id=serial0"],
    ...["-device", `virtio-serial-pci,${at(PCI_SLOT.ports)},id=ports`, "-chardev", socket("agent", paths.agent)],
    ...["-device", "virtserialport,bus=ports.0,chardev=agent,id=agent0,name=org.qemu.guest_agent.0"],
    ...["-device", `qemu-xhci,${at(PCI_SLOT.usb)},id=usb`, "-device", "usb-tablet,bus=usb.0,id=tablet"],
    // BIOS, UEFI and every installer can draw on this card at once. Every user of the host, and a guest on user-mode
    // networking, could reach a port on loopback.
    ...["-device", `VGA,${at(PCI_SLOT.video)},id=video`, "-vnc", `unix:${value(paths.vnc)}`],
  ];
};

const tpm = (paths: VmPaths) => [
  ...["-chardev", `socket,id=tpm,path=${value(paths.tpmSocket)}`],
  ...["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0,id=tpm-device"],
];
