/** Sends events to URLs: CloudEvents 1.0 in JSON, signed by Standard Webhooks 1.0. The server's operator chose the
 * URLs, so every address is allowed, private ones included. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type DomainEvent, definePlugin, eventTypes, type FunctionContext, PLUGIN_API } from "../../src/plugin.ts";
import { Config, isWanted, TIMEOUT_MAX } from "./config.ts";
import { type Receiver, receiverAt } from "./receiver.ts";
import { parseSecrets, type Secret } from "./signature.ts";

type Session = Readonly<{ config: Config; receivers: readonly Receiver[] }>;

export default definePlugin<Config, Session>({
  manifest: {
    name: "webhook",
    api: PLUGIN_API,
    summary: "Sends events to URLs, signed (Standard Webhooks)",
    limitMs: (TIMEOUT_MAX + 10) * 1000,
  },
  config: Config,
  async open(config, { log }) {
    const secrets = secretsIn(resolve(config["secret-file"]), log);
    const timeoutMs = config["timeout-seconds"] * 1000;
    return { config, receivers: config.url.map((url) => receiverAt({ url, secrets, timeoutMs, log })) };
  },
  reach: (config) => ({
    net: config.url.map(({ protocol, hostname, port }) => `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`),
    read: [resolve(config["secret-file"])],
  }),
  on: Object.fromEntries(eventTypes.map((type) => [type, send])),
});

/** Tries all receivers, independently of each other's result. */
async function send({ config, receivers }: Session, event: DomainEvent, { signal }: FunctionContext): Promise<void> {
  if (!isWanted(config, event)) return;
  const sent = await Promise.allSettled(receivers.map((receiver) => receiver.send(event, signal)));
  const reasons = sent.flatMap((one) => (one.status === "rejected" ? [one.reason as Error] : []));
  if (reasons.length) throw new Error(reasons.map(({ message }) => message).join("; "), { cause: reasons[0] });
}

function secretsIn(path: string, log: (message: string) => void): Secret[] {
  try {
    if (statSync(path).mode & 0o004) log(`secret-file ${path} can be read by every user: chmod 600 keeps it secret`);
    return parseSecrets(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`Cannot use secret-file ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
