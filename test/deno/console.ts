// deno run --allow-read --allow-write --allow-env --allow-sys --allow-run --allow-net
//
// Opens a console of a server on Deno: a WebSocket that carries a VM's screen, which is a VNC server of this script's.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { check, expectEqual, hasFailed } from "../support/deno-check.ts";
import { withServer } from "../support/deno-http.ts";

const VERSION = "RFB 003.008\n";
const plugin = fileURLToPath(new URL("../support/screened-plugin.ts", import.meta.url));

/** Lets everybody in without a password, and then says what it hears. */
async function screen(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined).write(VERSION);
    socket.once("data", () => {
      socket.write(Uint8Array.of(1, 1));
      socket.once("data", () => {
        socket.write(Uint8Array.of(0, 0, 0, 0));
        socket.pipe(socket);
      });
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

await check("a console on Deno", async () => {
  const port = await screen();
  const connection = `local=${plugin},screen=${port},installsAfterMs=never`;
  await withServer({ connection, hosts: [`127.0.0.1:${port}`] }, async ({ at, token, ask, end }) => {
    await ask("POST", "/api/vms", { name: "web", iso_path: "installer.iso" });
    await ask("POST", "/api/vms/web/start");
    const { status, body } = await ask("POST", "/api/vms/web/console");
    expectEqual(status, 200);
    const headers = { authorization: `Bearer ${token}` };
    const open = (path: string) => new WebSocket(`ws://${at}${path}`, ["binary"], { headers });
    const socket = open(body.path);
    let heard = "";
    socket.on("message", (data: Buffer) => {
      heard += data.toString("latin1");
    });
    const until = async (said: string) => {
      while (heard !== said) await once(socket, "message");
      heard = "";
    };
    await until(VERSION);
    socket.send(Buffer.from(VERSION));
    await until("\x01\x01");
    socket.send(Uint8Array.of(1));
    await until("\0\0\0\0");
    socket.send(Buffer.from("keys"));
    await until("keys");
    const used = open(body.path);
    used.on("error", () => undefined);
    const [, refused] = await once(used, "unexpected-response");
    expectEqual(refused.statusCode, 403);
    refused.destroy();
    const closed = once(socket, "close");
    expectEqual(await end(), 0);
    expectEqual((await closed)[0], 1001);
  });
});
process.exit(hasFailed() ? 1 : 0);
