/** Copies the database, and rebuilds it from the tags of the VMs. */
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
    "Copy the database (records, history, kept definitions with their passwords) into backups/ of the data directory, as it is at one moment, during operation. The newest ten copies stay. To go back: end every Bootwright, put the copy in the database's place, start again.",
  effect: "change",
  needs: [],
  repeats: true,
  http: { method: "POST", path: "/database/backup" },
  input: z.object({}),
  output: z.object({
    path: z.string(),
    size_bytes: z.number(),
    removed: z.array(z.string()).describe("Older copies that were removed"),
  }),
  async run(_input, context) {
    const { backup } = await context.store();
    // A database that is no local file has its own means of backup.
    if (!backup) throw new DomainError("TOOL_NOT_FOUND", { tool: "backup_database", known: [] });
    const { path, bytes, removed } = await backup.copy();
    return { path, size_bytes: bytes, removed: [...removed] };
  },
});

const rebuildDatabase = defineTool({
  name: "rebuild_database",
  title: "Rebuild the database",
  description:
    "Put every VM with Bootwright's metadata tag back on record, with the status in the tag. For a lost database. VMs on record stay as they are. History and requested boot orders are not in the tags.",
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
    left: z.number().optional().describe("VMs left for another call"),
    copied: z.array(z.string()).describe("VMs with another VM's tag: take them with adopt_vm"),
    untagged: z.number().describe("Number of VMs without a tag; they were never managed"),
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
