/** The database itself: a copy of it, and making it anew from what the machines say. */
import { z } from "zod";
import { DomainError } from "../domain/error.ts";
import { InstallationStatus } from "../domain/model/installation.ts";
import { adoptEach, unrecorded } from "./adoption.ts";
import { changeInput } from "./change.ts";
import { backendFor, connectionInput } from "./find-vm.ts";
import { defineTool } from "./tool.ts";

const backupDatabase = defineTool({
  name: "backup_database",
  title: "Back up the database",
  description:
    "Copy the database (records, history, kept definitions with their passwords) as it is at one moment into backups/ of the data directory, while everything goes on. The newest ten copies stay. To go back: end every Bootwright, put the copy in the database's place, start again.",
  effect: "change",
  needs: [],
  repeats: true,
  http: { method: "POST", path: "/database/backup" },
  input: z.object({}),
  output: z.object({
    path: z.string(),
    size_bytes: z.number(),
    removed: z.array(z.string()).describe("Older copies that made room for this one"),
  }),
  async run(_input, context) {
    const { backup } = await context.store();
    // A database that is no file of ours is copied by its own means.
    if (!backup) throw new DomainError("TOOL_NOT_FOUND", { tool: "backup_database", known: [] });
    const { path, bytes, removed } = await backup.copy();
    return { path, size_bytes: bytes, removed: [...removed] };
  },
});

const rebuildDatabase = defineTool({
  name: "rebuild_database",
  title: "Rebuild the database",
  description:
    "After the database was lost: put every VM back on record that carries Bootwright's own metadata tag, with the status in it. VMs on record stay as they are; history and the orders that were asked for are not in the tags.",
  effect: "change",
  needs: ["claim.write"],
  several: true,
  http: { method: "POST", path: "/database/rebuild" },
  input: z.object({ connection: connectionInput, ...changeInput }),
  output: z.object({
    rebuilt: z.array(
      z.object({ vm: z.string(), name: z.string(), installation_status: InstallationStatus.optional() }),
    ),
    refused: z.array(z.object({ vm: z.string(), reason: z.string() })),
    left: z.number().optional().describe("VMs that are left for another call"),
    copied: z.array(z.string()).describe("VMs whose tag belongs to another VM: adopt_vm takes them as their own"),
    untagged: z.number().describe("VMs without a tag, which were never managed"),
  }),
  async run(input, context) {
    const backend = await backendFor(context, input.connection);
    const vms = await unrecorded(context, backend);
    const own = vms.filter(({ uuid, claim }) => claim?.uuid === uuid);
    const { adopted, refused, left } = await adoptEach(context, backend, own, "rebuild_database", input);
    return {
      rebuilt: adopted.map(({ vm }) => ({
        vm: vm.uuid,
        name: vm.name,
        ...(vm.installation_status && { installation_status: vm.installation_status }),
      })),
      refused,
      ...(left !== undefined && { left }),
      copied: vms.filter(({ uuid, claim }) => claim !== undefined && claim.uuid !== uuid).map(({ name }) => name),
      untagged: vms.filter(({ claim }) => claim === undefined).length,
    };
  },
});

export const databaseTools = [backupDatabase, rebuildDatabase];
