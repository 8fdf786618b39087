/** Runs the MCP project's conformance suites against a server here. They send no token, so what they send goes through a
 * door that adds one and changes nothing else. */

import { readdirSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

/** Forwards to the server of the token, which `start` starts, knowing the port that clients come to. */
export async function openDoor(start: (port: number) => Promise<{ url: string; token: string }>) {
  let to: { url: string; token: string };
  const door = createServer((incoming, outgoing) => {
    const { hostname, port } = new URL(to.url);
    const headers = { ...incoming.headers, authorization: `Bearer ${to.token}` };
    const asked = request({ hostname, port, path: incoming.url, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    asked.on("error", () => outgoing.destroy());
    outgoing.on("close", () => asked.destroy());
    incoming.pipe(asked);
  });
  await new Promise<void>((listening) => door.listen(0, "127.0.0.1", listening));
  const { port } = door.address() as AddressInfo;
  to = await start(port);
  return {
    url: `http://localhost:${port}/mcp`,
    close() {
      door.close();
      door.closeAllConnections();
    },
  };
}

export type Check = Readonly<{ id: string; status: string; errorMessage?: string }>;
export type Ran = Readonly<{ scenario: string; checks: readonly Check[] }>;

const program = fileURLToPath(
  new URL("../../../../node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url),
);

/** What a revision's set of requirements names, scored or not. */
export function scenariosOf(revision: string): string[] {
  const path = new URL(
    `../../../../node_modules/@modelcontextprotocol/conformance/requirements/${revision}.yaml`,
    import.meta.url,
  );
  return [...readFileSync(path, "utf8").matchAll(/^ +- (?:scenario: )?([\w-]+)$/gm)].map(([, name]) => name!);
}

/** Runs what the arguments name, and gives what became of each scenario. */
export async function run(url: string, directory: string, args: readonly string[]): Promise<Ran[]> {
  const options = ["server", "--url", url, "--output-dir", directory, ...args];
  const { stdout, stderr } = await execa(process.execPath, [program, ...options], { reject: false, timeout: 240_000 });
  const names = readdirSync(directory);
  if (names.length === 0) throw new Error(`nothing ran: ${stdout}\n${stderr}`);
  return names.map((name) => {
    const [, scenario = name] = /^(?:server-)?(.+?)-\d{4}-\d{2}-\d{2}T/.exec(name) ?? [];
    const checks = JSON.parse(readFileSync(join(directory, name, "checks.json"), "utf8")) as Check[];
    return { scenario, checks };
  });
}
