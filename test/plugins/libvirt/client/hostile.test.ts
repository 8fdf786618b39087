// Goal: nothing that a daemon can send is guessed at. Method: a pretend daemon answers the call CONNECT_GET_HOSTNAME
// wrongly in one way; a second call waits meanwhile. What cannot be seen: whether the real daemon ever does this.

import { afterEach, describe, expect, test } from "vitest";
import {
  ConnectionLost,
  LibvirtError,
  openLibvirt,
  ProtocolError,
} from "../../../../plugins/libvirt/client/libvirt.ts";
import { PROCEDURE } from "../../../../plugins/libvirt/client/procedure.ts";
import { type PretendDaemon, pretendDaemon, type ReceivedCall, text, words } from "./pretend-daemon.ts";

const open: { stop?: () => Promise<void>; close?: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await (one.close ?? one.stop)?.();
});

async function connected(onCall: (call: ReceivedCall) => void) {
  const daemon: PretendDaemon = await pretendDaemon(onCall);
  const libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath });
  open.push(libvirt, daemon);
  return { daemon, libvirt };
}

const lifecycle = PROCEDURE.DOMAIN_EVENT_CALLBACK_LIFECYCLE;

describe("A daemon that makes no sense", () => {
  test.each<[string, (call: ReceivedCall) => void]>([
    ["an unknown program", ({ send }) => send(text("h"), { program: 7 })],
    ["another version", ({ send }) => send(text("h"), { version: 2 })],
    ["a serial that nobody used", ({ send }) => send(text("h"), { serial: 77 })],
    ["another procedure's answer", ({ send }) => send(text("h"), { procedure: PROCEDURE.CONNECT_GET_URI })],
    ["a call instead of an answer", ({ send }) => send(text("h"), { type: 0 })],
    ["a stream packet", ({ send }) => send(text("h"), { type: 3 })],
    ["an answer with file descriptors", ({ send }) => send(text("h"), { type: 5 })],
    ["an unknown status", ({ send }) => send(text("h"), { status: 2 })],
    ["a short answer", ({ send }) => send(words(5))],
    ["an empty answer", ({ send }) => send(words())],
    ["bytes too many", ({ send }) => send(Buffer.concat([text("h"), words(0)]))],
    ["a broken error", ({ send }) => send(words(1, 2), { status: 1 })],
    ["an event that does not exist", ({ send }) => send(words(0), { type: 2, procedure: 9999 })],
    ["an event that is too short", ({ send }) => send(words(0), { type: 2, procedure: lifecycle })],
    ["a keepalive with a payload", ({ send }) => send(words(0), { program: 0x6b65_6570, type: 2, procedure: 1 })],
    ["an unknown keepalive", ({ send }) => send(words(), { program: 0x6b65_6570, type: 2, procedure: 3 })],
    ["a packet too long", ({ socket }) => socket.write(words(0x7fff_ffff))],
    ["a packet shorter than its header", ({ socket }) => socket.write(words(27))],
  ])("is left at %s, and every waiting call fails", async (_, answer) => {
    const { libvirt } = await connected((call) => {
      if (call.header.procedure === PROCEDURE.CONNECT_GET_HOSTNAME) answer(call);
    });
    const calls = await Promise.allSettled([libvirt.connectGetUri(), libvirt.connectGetHostname()]);
    for (const [index, procedure] of ["CONNECT_GET_URI", "CONNECT_GET_HOSTNAME"].entries()) {
      const { reason } = calls[index] as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(ConnectionLost);
      expect(reason).toMatchObject({ procedure, sent: true, cause: expect.any(ProtocolError) });
    }
  });

  test("does not make the client repeat a call that was sent", async () => {
    const { daemon, libvirt } = await connected(({ socket }) => socket.destroy());
    await expect(libvirt.connectGetHostname()).rejects.toMatchObject({ name: "ConnectionLost", sent: true });
    expect(daemon.connections).toBe(1);
    await expect(libvirt.connectGetHostname()).rejects.toMatchObject({ name: "ConnectionLost", sent: true });
    expect(daemon.connections).toBe(2);
  });

  test("may close before calls that wait their turn are sent: those go over a new connection, once", async () => {
    const received: number[] = [];
    const { daemon, libvirt } = await connected(({ header, socket, send }) => {
      received.push(header.procedure);
      if (daemon.connections === 1) {
        if (received.length === 4) socket.destroy();
      } else send(text("new"));
    });
    const calls = await Promise.allSettled(Array.from({ length: 6 }, () => libvirt.connectGetHostname()));
    expect(calls.map((call) => (call.status === "fulfilled" ? call.value : call.reason.sent))).toEqual([
      true,
      true,
      true,
      true,
      "new",
      "new",
    ]);
    expect(received).toHaveLength(6);
  });
});

describe("openLibvirt()", () => {
  test("openLibvirt() gives libvirt's own code, domain, level and message", async () => {
    const { libvirt } = await connected(({ send }) => {
      const message = Buffer.concat([words(1), text("Domain not found")]);
      send(Buffer.concat([words(42, 10), message, words(2, 0, 0, 0, 0, 0, 0, 0)]), { status: 1 });
    });
    const error = await libvirt.connectGetHostname().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({
      code: 42,
      domain: 10,
      level: 2,
      message: "Domain not found",
      procedure: "CONNECT_GET_HOSTNAME",
    });
  });

  test("openLibvirt() refuses a daemon that asks for SASL", async () => {
    // The pretend daemon asks for nothing, so this one speaks for itself.
    const { createServer } = await import("node:net");
    const { encodeFrame, FrameReader } = await import("../../../../plugins/libvirt/client/frames.ts");
    const path = `/tmp/bootwright-sasl-${process.pid}.sock`;
    const server = createServer((socket) => {
      const frames = new FrameReader();
      socket.on("data", (chunk) => {
        for (const { header } of frames.read(chunk)) socket.write(encodeFrame({ ...header, type: 1 }, words(1, 1)));
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const libvirt = openLibvirt({ uri: "test:///default", socketPath: path });
    const error = await libvirt.connectGetUri().catch(String);
    await libvirt.close();
    server.close();
    expect(error).toBe(
      "AuthenticationRefused: Cannot authenticate at libvirt's daemon: it asks for SASL, only none and polkit are supported",
    );
  });

  test("openLibvirt() answers the daemon's ping", async () => {
    const pong = Promise.withResolvers<number>();
    const { libvirt } = await connected(({ header, send }) => {
      if (header.program === 0x6b65_6570) return pong.resolve(header.procedure);
      send(words(), { program: 0x6b65_6570, procedure: 1, type: 2, serial: 0 });
      send(text("h"));
    });
    expect(await libvirt.connectGetHostname()).toBe("h");
    expect(await pong.promise).toBe(2);
  });

  test("openLibvirt() leaves a daemon that answers neither calls nor pings", async () => {
    const pings: number[] = [];
    const daemon = await pretendDaemon(({ header }) => {
      if (header.program === 0x6b65_6570) pings.push(header.procedure);
    });
    const keepalive = { intervalMs: 20, count: 2 };
    const libvirt = openLibvirt({ uri: "test:///default", socketPath: daemon.socketPath, keepalive });
    open.push(libvirt, daemon);
    await expect(libvirt.connectGetHostname()).rejects.toThrow("the daemon has been silent for 60 ms");
    expect(pings).toEqual([1, 1]);
  });

  test("openLibvirt() stops waiting at the time limit and drops the late answer", async () => {
    let late: (() => void) | undefined;
    const { daemon, libvirt } = await connected(({ header, send }) => {
      if (header.procedure === PROCEDURE.CONNECT_GET_HOSTNAME) late = () => send(text("late"));
      else send(text("uri"));
    });
    expect(await libvirt.connectGetUri()).toBe("uri");
    const given = libvirt.connectGetHostname({ timeoutMs: 1_000 });
    await expect(given).rejects.toMatchObject({
      name: "CallInterrupted",
      procedure: "CONNECT_GET_HOSTNAME",
      sent: true,
    });
    late?.();
    expect(await libvirt.connectGetUri()).toBe("uri");
    expect(daemon.connections).toBe(1);
  });

  test("openLibvirt() stops waiting at the caller's signal, also before anything is sent", async () => {
    const controller = new AbortController();
    const { libvirt } = await connected(({ header }) => {
      if (header.procedure === PROCEDURE.CONNECT_GET_HOSTNAME) controller.abort(new Error("enough"));
    });
    const sent = libvirt.connectGetHostname({ signal: controller.signal });
    const queued = Array.from({ length: 5 }, () => libvirt.connectGetUri({ signal: controller.signal }));
    await expect(sent).rejects.toMatchObject({ name: "CallInterrupted", sent: true });
    await expect(queued[4]).rejects.toMatchObject({ name: "CallInterrupted", sent: false });
    await expect(libvirt.connectGetUri({ signal: controller.signal })).rejects.toMatchObject({ sent: false });
    await Promise.allSettled(queued);
  });

  test("openLibvirt() takes a new connection once every call in flight was given up", async () => {
    const { daemon, libvirt } = await connected(({ send }) => {
      if (daemon.connections === 2) send(text("alive"));
    });
    const given = Array.from({ length: 4 }, () => libvirt.connectGetUri({ timeoutMs: 1_000 }));
    await Promise.allSettled(given);
    expect(await libvirt.connectGetUri()).toBe("alive");
  });

  test("openLibvirt() says what is missing where there is no socket", async () => {
    const libvirt = openLibvirt({ uri: "qemu:///system?socket=/nowhere/libvirt-sock" });
    const error = await libvirt.connectGetUri().catch(String);
    expect(error).toBe(
      `ConnectFailed: Cannot connect to libvirt at "/nowhere/libvirt-sock": there is no such socket; is libvirtd (or virtqemud) running?`,
    );
  });

  test("openLibvirt() makes no connection after close()", async () => {
    const { daemon, libvirt } = await connected(({ send }) => send(words()));
    await libvirt.close();
    await expect(libvirt.connectGetUri()).rejects.toMatchObject({ name: "ConnectFailed" });
    expect(daemon.connections).toBe(0);
  });
});
