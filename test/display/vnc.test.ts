import { chmodSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import { answerTo, openVnc } from "../../src/display/vnc.ts";
import { screenOf, VERSION, vncServer } from "./rfb.ts";

const vm = "web";
const text = (words: string) => {
  const bytes = Buffer.from(words);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const init = Buffer.concat([Buffer.from([2, 208, 1, 144]), Buffer.alloc(16), text("QEMU")]);
const result = (code: number) => Buffer.from([0, 0, 0, code]);
const challenge = Buffer.from("00112233445566778899aabbccddeeff", "hex");

/** Says each part in turn, as soon as so many bytes have come in since the part before. */
type Parts = readonly (readonly [number, Buffer | "end"])[];
function script(socket: Socket, ...parts: Parts): { heard: () => Buffer } {
  let [heard, since, next] = [Buffer.alloc(0), 0, 0];
  const go = () => {
    while (next < parts.length && heard.length - since >= parts[next]![0]) {
      const [awaited, said] = parts[next]!;
      since += awaited;
      next += 1;
      if (said === "end") socket.end();
      else socket.write(said);
    }
  };
  socket.on("data", (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
    go();
  });
  go();
  return { heard: () => heard };
}
const hello = [0, Buffer.from(VERSION)] as const;
const unavailable = (reason: unknown) => ({ code: "CONSOLE_UNAVAILABLE", details: { vm, reason } });

it("openVnc() gives a handshake without a password, and everything behind it", async () => {
  const path = await vncServer((socket) => {
    script(
      socket,
      hello,
      [12, Buffer.from([2, 2, 1])],
      [1, result(0)],
      [1, init],
      [3, Buffer.from("more")],
      [0, "end"],
    );
  });
  const opened = await openVnc({ path }, { vm });
  const seen = await screenOf(opened);
  expect(seen).toMatchObject({ version: VERSION, types: [1], result: 0 });
  expect(seen.screen).toEqual({ width: 720, height: 400, name: "QEMU" });
  await seen.writer.write(Buffer.from("abc"));
  expect((await seen.reader.take(4)).toString()).toBe("more");
  await seen.reader.end();
});

it("openVnc() answers a challenge with the password, which the other side is never asked for", async () => {
  let said: { heard: () => Buffer } | undefined;
  const path = await vncServer((socket) => {
    said = script(socket, hello, [12, Buffer.from([1, 2])], [1, challenge], [16, result(0)], [1, init]);
  });
  const seen = await screenOf(await openVnc({ path }, { vm, password: "s3cret&" }));
  expect([seen.types, seen.screen.width]).toEqual([[1], 720]);
  expect(said!.heard().subarray(13, 29)).toEqual(answerTo(challenge, "s3cret&"));
});

it("answerTo() answers as openssl does with DES and each byte of the key mirrored", () => {
  expect(answerTo(challenge, "s3cret&").toString("hex")).toBe("cc07c83d3c937eb7c3b1660586e6b6ad");
});

it.each([
  ["a password is wanted and there is none", [hello, [12, Buffer.from([1, 2])]], /requires a password/],
  ["only TLS is offered", [hello, [12, Buffer.from([2, 19, 16])]], /requires TLS or SASL/],
  [
    "the password is wrong",
    [hello, [12, Buffer.from([1, 2])], [1, challenge], [16, result(1)], [0, text("No\nway")]],
    /refuses: No way/,
  ],
  ["nobody is let in", [hello, [12, Buffer.from([0])], [0, text("Too many")]], /says: Too many/],
  ["something else listens there", [[0, Buffer.from("SSH-2.0-OpenSSH_9.2\n")]], /no known VNC version/],
  ["it ends early", [hello, [12, "end"]], /has ended the connection/],
] as const)("openVnc() says why when %s", async (title, parts, reason) => {
  const path = await vncServer((socket) => void script(socket, ...(parts as Parts)));
  const password = title.includes("wrong") ? { password: "another" } : {};
  await expect(openVnc({ path }, { vm, ...password })).rejects.toMatchObject(
    unavailable(expect.stringMatching(reason)),
  );
});

it("openVnc() waits no longer than its limit, and not at all once it is aborted", async () => {
  const path = await vncServer(() => undefined);
  await expect(openVnc({ path }, { vm, limitMs: 50 })).rejects.toMatchObject({ code: "CONSOLE_UNAVAILABLE" });
  const ending = new AbortController();
  const opening = openVnc({ path }, { vm, signal: ending.signal });
  ending.abort(new Error("enough"));
  await expect(opening).rejects.toThrow("enough");
});

it("openVnc() says so when there is no socket, and when nobody listens", async () => {
  await expect(openVnc({ path: "/nowhere/vnc" }, { vm })).rejects.toMatchObject(
    unavailable("its VNC socket is missing"),
  );
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  await expect(openVnc({ host: "127.0.0.1", port }, { vm })).rejects.toMatchObject(
    unavailable("nothing listens at its VNC address"),
  );
});

// Root may connect to everything, so somebody else has to try.
it.skipIf(process.getuid?.() !== 0)("openVnc() says so when this user may not connect", async () => {
  const path = await vncServer(() => undefined);
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o700);
  const program = `import { openVnc } from ${JSON.stringify(new URL("../../src/display/vnc.ts", import.meta.url).href)};
    await openVnc({ path: ${JSON.stringify(path)} }, { vm: "web" }).catch((error) => console.log(error.details.reason));`;
  const { stdout } = await execa(process.execPath, ["--input-type=module", "-e", program], {
    uid: 65_534,
    gid: 65_534,
    cwd: "/",
  });
  expect(stdout).toContain("only QEMU's own user and root may connect to its VNC socket");
});

it("who cancels a console ends its connection, and a client of another VNC gets none", async () => {
  const ended: Promise<void>[] = [];
  const path = await vncServer((socket) => {
    ended.push(new Promise((resolve) => socket.once("close", () => resolve())));
    script(socket, hello, [12, Buffer.from([1, 1])], [1, result(0)]);
  });
  const first = await openVnc({ path }, { vm });
  await first.readable.cancel();
  await ended[0];
  const second = await openVnc({ path }, { vm });
  const writer = second.writable.getWriter();
  await expect(writer.write(Buffer.from("RFB 003.003\n"))).rejects.toThrow("VNC 3.8");
  await ended[1];
});
