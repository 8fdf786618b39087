/** VMs in memory whose guests' agents cannot be asked. --connection agentless=…/agentless-plugin.ts */
import memory from "../../plugins/memory/index.ts";
import { definePlugin } from "../../src/plugin.ts";

const { guest: _none, ...backend } = memory.backend!;

export default definePlugin({ ...memory, manifest: { ...memory.manifest, name: "agentless" }, backend });
