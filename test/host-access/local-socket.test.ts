import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectLocally } from "../../src/host-access/local-socket.ts";
import { temporaryDirectory } from "../store/fixture.ts";

async function echo(): Promise<string> {
  const path = join(temporaryDirectory(), "socket");
  const server = createServer((socket) => void socket.on("error", () => undefined).pipe(socket)).listen(path);
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return path;
}

describe("connectLocally()", () => {
  it("gives a connection's two directions, and ends both", async () => {
    const { readable, writable, close } = await connectLocally({ path: await echo() });
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    await writer.write(Buffer.from("hello"));
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("hello");
    close();
    await expect(reader.closed).rejects.toThrow();
  });

  it("fails with the system's code where nobody listens, and with the signal's reason once it is aborted", async () => {
    await expect(connectLocally({ path: "/nowhere/socket" })).rejects.toMatchObject({ code: "ENOENT" });
    const path = await echo();
    await expect(connectLocally({ path }, AbortSignal.abort(new Error("given up")))).rejects.toThrow("given up");
  });
});
