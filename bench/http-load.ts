// Requests over HTTP as a bounded number of clients make them, each with a connection of its own that is kept, and the next
// request when the last one is answered.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { type Times, timed, timesOf } from "./measure.ts";

export type Served = Readonly<{ url: string; close(): Promise<void> }>;

/** Starts what says on stderr where it listens. */
export async function startServed(command: readonly string[], token: string): Promise<Served> {
  const [program, ...args] = command;
  const child: ChildProcess = spawn(program!, args, {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, BOOTWRIGHT_TOKEN: token },
  });
  const ended = once(child, "exit");
  let stderr = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr!.on("data", (chunk: Buffer) => {
      stderr += chunk;
      const [, found] = /listening on (\S+)/.exec(stderr) ?? [];
      if (found) resolve(found);
    });
    void ended.then(([code]) => reject(new Error(`it ended with ${code}: ${stderr}`)));
  });
  return {
    url,
    async close() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export type Load = Readonly<{ url: string; token: string; connections: number; ms: number }>;
export type Rate = Readonly<{ perSecond: number; times: Times }>;

/** Puts load on each of them in turns. Of every answer the whole body is read, and it has to be 200. */
export async function rates<Name extends string>(
  rounds: number,
  loads: Readonly<Record<Name, Load>>,
): Promise<Record<Name, Rate>> {
  const names = Object.keys(loads) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, { times: [], ms: 0 }])) as unknown as Record<
    Name,
    { times: number[]; ms: number }
  >;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const times: number[] = [];
      const ms = await timed(() => put(loads[name], times));
      if (round < 0) continue;
      taken[name].times.push(...times);
      taken[name].ms += ms;
    }
  }
  const rateOf = ({ times, ms }: { times: number[]; ms: number }): Rate => ({
    perSecond: (times.length * 1000) / ms,
    times: timesOf(times),
  });
  return Object.fromEntries(names.map((name) => [name, rateOf(taken[name])])) as Record<Name, Rate>;
}

async function put({ url, token, connections, ms }: Load, times: number[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const until = performance.now() + ms;
  const client = async () => {
    while (performance.now() < until) times.push(await timed(() => read(url, token, agent)));
  };
  await Promise.all(Array.from({ length: connections }, client));
  agent.destroy();
}

async function read(url: string, token: string, agent: Agent): Promise<void> {
  const request = get(url, { agent, headers: { authorization: `Bearer ${token}` } });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  if (response.statusCode !== 200) throw new Error(`${url}: ${response.statusCode}`);
}
