/** `serve` on Deno, for the scripts that run there. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverPath } from "./client.ts";
import { permissionsFor } from "./deno.ts";

/** Deno permits a port by its number, so one has to be known before. */
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

export type DenoServer = Readonly<{
  /** The host and port on which it listens. */
  at: string;
  token: string;
  ask: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Readonly<{ status: number; headers: Headers; body: ReturnType<typeof JSON.parse> }>>;
  /** Ends it. Returns its exit code. */
  end: () => Promise<number | null>;
}>;

/** Serves under the permissions that docs/deploy.md names for it, reaching these addresses beside, and no others; then ends it. */
export async function withServer(
  { connection, hosts = [] }: Readonly<{ connection: string; hosts?: readonly string[] }>,
  work: (server: DenoServer) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bw-test-deno-"));
  mkdirSync(join(directory, "tmp"));
  const data = join(directory, "data");
  const at = `127.0.0.1:${await freePort()}`;
  const server = spawn(
    process.execPath,
    [
      ...["run", "--no-prompt", ...permissionsFor(directory, "memory"), `--allow-net=${[at, ...hosts]}`, serverPath],
      ...["--data", data, "--connection", connection, "--listen", at, "serve"],
    ],
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, NO_COLOR: "1", XDG_CONFIG_HOME: directory } },
  );
  let stderr = "";
  const ended = new Promise<number | null>((resolve) => server.on("close", resolve));
  try {
    await new Promise<void>((resolve, reject) => {
      server.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
        if (stderr.includes("log in once")) resolve();
      });
      void ended.then(() => reject(new Error("it ended")));
    });
    const token = readFileSync(join(data, "http.token"), "utf8").trim();
    await work({
      at,
      token,
      async ask(method, path, body, headers = {}) {
        const response = await fetch(`http://${at}${path}`, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body !== undefined && { "content-type": "application/json" }),
            ...headers,
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
      },
      end() {
        // A child that was told by its own object to end counts on Deno as killed, however it ends.
        process.kill(server.pid!, "SIGTERM");
        return ended;
      },
    });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${stderr}`);
  } finally {
    server.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}
