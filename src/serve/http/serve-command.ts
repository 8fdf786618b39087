/** `bootwright serve`: serves HTTP until a signal. */
import { type HttpServer, type HttpServerOptions, serveHttp } from "./server.ts";

/** Serves until the signal aborts. Returns the exit code. */
export async function serveCommand(options: HttpServerOptions, signal: AbortSignal): Promise<number> {
  let server: HttpServer;
  try {
    server = await serveHttp(options);
  } catch (error) {
    const { message } = error as Error;
    options.log(`cannot serve on ${options.address}:${options.port}: ${message}`);
    return 2;
  }
  options.log(`listening on ${server.url}`);
  options.log(`log in once, within ten minutes: ${server.loginLink()}`);
  if (!signal.aborted) await new Promise((ended) => signal.addEventListener("abort", ended, { once: true }));
  await server.close();
  return 0;
}
