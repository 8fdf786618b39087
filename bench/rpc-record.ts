// Records what a client of libvirt sends, and sends it again without that client: the same bytes, each as early as it was
// sent then, so that what was one burst is one burst again.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { encodeFrame, FrameReader, KEEPALIVE_PROGRAM, MESSAGE_TYPE } from "../plugins/libvirt/client/frames.ts";

/** One call, and how many answers had arrived before it was sent. */
type Sent = Readonly<{ frame: Buffer; after: number }>;
export type Recording = readonly Sent[];

export type Recorder = Readonly<{
  socketPath: string;
  /** Everything since the last time this was asked. */
  take(): Recording;
  close(): void;
}>;

/** A socket beside the daemon's, through which one client is recorded. */
export async function record(daemonSocket: string, socketPath: string): Promise<Recorder> {
  let sent: Sent[] = [];
  let answered = 0;
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const daemon = connect(daemonSocket);
    sockets.push(client, daemon);
    const [calls, answers] = [new FrameReader(), new FrameReader()];
    client.on("data", (chunk) => {
      for (const { header, payload } of calls.read(chunk)) {
        if (header.program !== KEEPALIVE_PROGRAM) sent.push({ frame: encodeFrame(header, payload), after: answered });
      }
      daemon.write(chunk);
    });
    daemon.on("data", (chunk) => {
      for (const { header } of answers.read(chunk)) if (header.type === MESSAGE_TYPE.reply) answered += 1;
      client.write(chunk);
    });
    client.on("close", () => daemon.destroy());
    daemon.on("close", () => client.destroy());
  });
  server.listen(socketPath);
  await once(server, "listening");
  return {
    socketPath,
    take() {
      const taken = sent;
      sent = [];
      answered = 0;
      return taken;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A bare connection to the daemon on which recordings can be sent again. The first one opens it. */
export async function openReplay(
  daemonSocket: string,
): Promise<{ replay: (recording: Recording) => Promise<void>; close: () => void }> {
  const socket = connect(daemonSocket);
  await once(socket, "connect");
  const reader = new FrameReader();
  let answered = 0;
  let go = () => {};
  socket.on("data", (chunk) => {
    for (const { header } of reader.read(chunk)) if (header.type === MESSAGE_TYPE.reply) answered += 1;
    go();
  });
  return {
    replay(recording) {
      const { promise, resolve } = Promise.withResolvers<void>();
      let next = 0;
      answered = 0;
      go = () => {
        while (next < recording.length && recording[next]!.after <= answered) socket.write(recording[next++]!.frame);
        if (answered === recording.length) resolve();
      };
      go();
      return promise;
    },
    close: () => socket.destroy(),
  };
}
