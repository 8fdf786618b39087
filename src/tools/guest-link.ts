/** Creates one-time links for guests. A separate listener serves them. */
import { z } from "zod";
import { observe } from "../domain/engine/observe.ts";
import { DomainError } from "../domain/error.ts";
import { linkPath, linkSubject, newLinkToken } from "../domain/guest-link.ts";
import { VmRef } from "../domain/model/vm.ts";
import { type FoundVm, findVm } from "./find-vm.ts";
import { defineTool, type ToolContext } from "./tool.ts";

const HOUR_MS = 3_600_000;
const HOURS_MAX = 168;
/** The host's address on QEMU's user-mode networking. It leads to the host's loopback. */
const USER_NETWORK_HOST = "10.0.2.2";

/** An installer's attempts, since the VM may be busy at that moment. */
const TRIES = 20;

const createGuestLink = defineTool({
  name: "create_guest_link",
  title: "Create guest link",
  description:
    "Create a one-time URL that completes the installation when a VM's installer calls it at its end. Answers with snippets for cloud-init, preseed, kickstart and a shell. Anyone with the URL can make that one call.",
  effect: "change",
  needs: [],
  repeats: true,
  secret: true,
  http: { method: "POST", path: "/vms/{vm}/guest-link" },
  input: z.object({
    vm: VmRef,
    plugin: z.string().min(1).max(64).default("phone-home").describe("The plugin that answers the call"),
    expires_in_hours: z.number().int().min(1).max(HOURS_MAX).default(24).describe("How long the URL is valid"),
    host: z
      .string()
      .max(253)
      .regex(/^([\w.-]+|\[[0-9a-fA-F:.]+\])$/, "a host name or an address, IPv6 in brackets")
      .optional()
      .describe("This host's address for the guest, if it is not the one in --guest-listen"),
  }),
  output: z.object({
    vm: z.string(),
    plugin: z.string(),
    url: z.string(),
    expires_at: z.string(),
    reached_by: z.string().describe("Which guests can reach this URL"),
    snippets: z.object({ cloud_init: z.string(), preseed: z.string(), kickstart: z.string(), shell: z.string() }),
  }),
  async run({ vm, plugin, expires_in_hours: hours, host }, context) {
    const { guests, plugins, newId, now } = context;
    if (!guests) throw new DomainError("GUEST_LISTENER_OFF", {});
    const known = (await plugins.list()).filter(({ fetch }) => fetch).map(({ name }) => name);
    if (!known.includes(plugin)) throw new DomainError("GUEST_PLUGIN_NOT_FOUND", { plugin, known });
    const found = await findVm(context, vm);
    const { store, target } = found;
    await expectAsSeen(context, found);
    if (!(await store.record(target))) throw new DomainError("VM_NOT_MANAGED", { vm });
    const expiresAt = new Date(now().getTime() + hours * HOUR_MS);
    const token = newLinkToken(newId, expiresAt);
    await store.offerConfirmation(token, linkSubject(plugin, target), hours * HOUR_MS);
    const { name, reachedBy } = hostFor(guests.address, host);
    const url = `http://${name}:${guests.port}${linkPath(plugin, target.uuid, token)}`;
    return {
      vm: target.uuid,
      plugin,
      url,
      expires_at: expiresAt.toISOString(),
      reached_by: reachedBy,
      snippets: snippetsFor(url),
    };
  },
});

/** Making a link changes no VM, so If-Match is checked here. */
async function expectAsSeen(
  { call: { expect, deadline } }: ToolContext,
  { unreachable, target, ...ports }: FoundVm,
): Promise<void> {
  if (!expect) return;
  if (unreachable) throw unreachable;
  expect(await observe(ports, target, { images: false, signal: deadline.signal }));
}

function hostFor(address: string, host: string | undefined): { name: string; reachedBy: string } {
  if (host !== undefined) return { name: host, reachedBy: `guests that reach this host as ${host}` };
  // A guest cannot call the wildcard address, and which of the host's addresses its network reaches is unknown.
  if (/^(127\.|0\.0\.0\.0$|::1?$|localhost$)/.test(address))
    return { name: USER_NETWORK_HOST, reachedBy: "guests on user-mode networking; for others pass host" };
  return {
    name: address.includes(":") ? `[${address}]` : address,
    reachedBy: `guests whose network reaches ${address}`,
  };
}

/** An installer must not fail because its call does. */
const snippetsFor = (url: string) => ({
  cloud_init: `#cloud-config\nphone_home:\n  url: "${url}"\n  post: [instance_id, hostname]\n  tries: ${TRIES}\n`,
  preseed: `d-i preseed/late_command string wget -q -O /dev/null '${url}' || true\n`,
  kickstart: `%post\ncurl -fsS --retry ${TRIES} --retry-delay 3 -o /dev/null -X POST '${url}' || true\n%end\n`,
  shell: `wget -q -O /dev/null '${url}'\n`,
});

export const guestLinkTools = [createGuestLink];
