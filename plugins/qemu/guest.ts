/** Asks the guest's agent. Its answer is untrusted text: it is bounded, and control characters are removed. */
import { z } from "zod";
import type { GuestInfo } from "../../src/plugin.ts";
import { PCI_SLOT } from "./command-line.ts";
import { SATA_PORTS } from "./definition.ts";
import { agentIsThere } from "./observe.ts";
import { AgentSilent, askAgent } from "./qmp/agent.ts";
import { type QemuSession, requireOpen } from "./session.ts";

const ANSWER_LIMIT_MS = 5_000;
const TEXT_MAX = 256;
const FILESYSTEMS_MAX = 64;
const DISKS_MAX = 64;

const System = z.object({
  id: z.string().optional(),
  "pretty-name": z.string().optional(),
  name: z.string().optional(),
});
const Address = z.object({
  "pci-controller": z.object({ bus: z.number(), slot: z.number(), function: z.number() }),
  target: z.number(),
  unit: z.number(),
});
const FileSystem = z.object({
  mountpoint: z.string().optional(),
  type: z.string().optional(),
  disk: z.array(z.unknown()).default([]),
});

/** The agent's description of the system and its file systems; undefined if no agent answers. */
export async function guestInfo(
  session: QemuSession,
  uuid: string,
  signal?: AbortSignal,
): Promise<GuestInfo | undefined> {
  requireOpen(session, signal);
  if (!(await agentIsThere(session, uuid, signal))) return undefined;
  try {
    const commands = [{ execute: "guest-get-osinfo" }, { execute: "guest-get-fsinfo" }];
    const [system, filesystems] = await askAgent(session.pathsOf(uuid).agent, commands, {
      timeoutMs: ANSWER_LIMIT_MS,
      signal,
    });
    return infoFrom(system, filesystems);
  } catch (error) {
    if (error instanceof AgentSilent) return undefined;
    throw error;
  }
}

/** Reads the agent's answers to guest-get-osinfo and guest-get-fsinfo. */
export function infoFrom(system: unknown, filesystems: unknown): GuestInfo {
  const said = System.safeParse(system).data;
  const [osId, osName] = [untrustedText(said?.id), untrustedText(said?.["pretty-name"] ?? said?.name)];
  const all = Array.isArray(filesystems) ? filesystems.slice(0, FILESYSTEMS_MAX) : [];
  return {
    ...(osId && { osId }),
    ...(osName && { osName }),
    filesystems: all.flatMap((one) => {
      const parsed = FileSystem.safeParse(one).data;
      if (!parsed) return [];
      const disks = parsed.disk.slice(0, DISKS_MAX).map(targetOf);
      return [
        {
          mountpoint: untrustedText(parsed.mountpoint) ?? "",
          type: untrustedText(parsed.type) ?? "",
          disks: [...new Set(disks.filter((target) => target !== undefined))],
        },
      ];
    }),
  };
}

/** The target of the disk at this address in the guest. The guest's own name (`/dev/sda`) is unrelated to the
 * target. */
function targetOf(disk: unknown): string | undefined {
  const { data } = Address.safeParse(disk);
  if (data?.["pci-controller"].bus !== 0) return undefined;
  const { slot, function: part } = data["pci-controller"];
  const named = (row: "vd" | "sd", place: number) => row + String.fromCharCode("a".charCodeAt(0) + place);
  if (slot === SATA.slot && part === SATA.function && data.unit >= 0 && data.unit < SATA_PORTS)
    return named("sd", data.unit);
  if (slot === PCI_SLOT.scsi && data.target >= 0 && data.target < 26) return named("sd", data.target);
  return slot >= PCI_SLOT.disk && slot < SATA.slot ? named("vd", slot - PCI_SLOT.disk) : undefined;
}
/** q35's own controller. */
const SATA = { slot: 31, function: 2 };

/** Truncates a guest's text and removes its control characters; undefined if nothing is left. */
const untrustedText = (value: string | undefined): string | undefined =>
  value
    ?.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "")
    .slice(0, TEXT_MAX)
    .toWellFormed() || undefined;
