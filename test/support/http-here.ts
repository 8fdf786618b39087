/** The server in this process, on a world of its own: for tests that ask more often than anybody is allowed to. */
import { onTestFinished } from "vitest";
import type { AppContext } from "../../src/serve/app-context.ts";
import { type HttpServerOptions, serveHttp } from "../../src/serve/http/server.ts";
import { offeredTools } from "../../src/tools/catalogue.ts";
import { type Ask, ask, type HttpAnswer } from "./http.ts";
import { withJobs } from "./jobs.ts";
import type { World } from "./world.ts";

export const TOKEN = "a-token-for-tests-of-forty-characters-xx";

export type HttpHere = Readonly<{
  url: string;
  loginLink: () => string;
  defects: unknown[];
  close: () => Promise<void>;
  ask: (method: string, path: string, body?: unknown, more?: Ask) => Promise<HttpAnswer>;
}>;

/** A session over a world's parts. */
export function sessionOf({ connections, ports, store }: World, more: Partial<AppContext> = {}): AppContext {
  return {
    tools: offeredTools(connections, { readOnly: false }),
    confirm: "token",
    version: "0.0.0",
    log: () => {},
    services: withJobs({
      connections,
      plugins: { list: async () => [] },
      store: async () => store,
      newId: ports.newId,
      now: ports.now,
      claimWaitMs: ports.claimWaitMs,
    }),
    defect: () => "defect",
    ...more,
  };
}

export async function openHere(
  world: World,
  more: Partial<HttpServerOptions> = {},
  session: Partial<AppContext> = {},
): Promise<HttpHere> {
  const defects: unknown[] = [];
  const server = await serveHttp({
    appContext: sessionOf(world, {
      defect(error) {
        defects.push(error);
        return "defect";
      },
      ...session,
    }),
    data: world.directory,
    address: "127.0.0.1",
    port: 0,
    allowHosts: [],
    token: TOKEN,
    log: () => {},
    ...more,
  });
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= server.close());
  onTestFinished(close);
  return {
    url: server.url,
    loginLink: server.loginLink,
    defects,
    close,
    ask: (method, path, body, asked = {}) => ask(server.url, method, path, body, { token: TOKEN, ...asked }),
  };
}
