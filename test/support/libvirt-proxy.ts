// Stands between a client and the libvirt daemon and can hold a call back: what another program does at exactly that
// moment is then no matter of luck.

import { createServer, connect } from "node:net";
import { encodeFrame, FrameReader } from "../../plugins/libvirt/client/frames.ts";

export type Held = Readonly<{ procedure: number; count: number }>;

/** Listens at `path` and passes everything on, each call after `before` has let it through; `count` is how many calls of
 * that procedure there have been, this one included. */
export async function openProxy(
  path: string,
  before: (call: Held) => Promise<void>,
  daemon = "/run/libvirt/libvirt-sock",
): Promise<{ close: () => Promise<void> }> {
  const counts = new Map<number, number>();
  const server = createServer((client) => {
    const upstream = connect(daemon);
    const reader = new FrameReader();
    let turn = Promise.resolve();
    upstream.pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
    client.on("data", (chunk) => {
      for (const { header, payload } of reader.read(chunk)) {
        turn = turn.then(async () => {
          const count = (counts.get(header.procedure) ?? 0) + 1;
          counts.set(header.procedure, count);
          await before({ procedure: header.procedure, count });
          upstream.write(encodeFrame(header, payload));
        });
      }
    });
  });
  await new Promise<void>((listening) => server.listen(path, listening));
  return { close: () => new Promise((closed) => server.close(() => closed())) };
}
