// Stands between a client and the libvirt daemon and can hold a call back: what another program does at exactly that
// moment is then no matter of luck.

import { connect, createServer } from "node:net";
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
        const count = (counts.get(header.procedure) ?? 0) + 1;
        counts.set(header.procedure, count);
        // A call that is held back does not hold back those behind it: the daemon takes several at a time, too.
        void before({ procedure: header.procedure, count }).then(() => upstream.write(encodeFrame(header, payload)));
      }
    });
  });
  await new Promise<void>((listening) => server.listen(path, listening));
  return { close: () => new Promise((closed) => server.close(() => closed())) };
}
