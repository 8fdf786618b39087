/** A real server behind a gateway that adds jobs to it: the tools in the page's facts, their routes, and their events in
 * the stream. Everything else is the server's own. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import type { Job, JobEventType } from "../../ui/api/job.ts";
import type { HttpServer } from "../support/http.ts";

export type JobServer = Readonly<{
  url: string;
  login: string;
  /** The jobs by id; a test changes them as it likes. */
  jobs: Map<string, Job>;
  /** Requests for jobs, as method and path. */
  requests: string[];
  /** Sends an event about a job to every open page, or to the first that opens. */
  sendEvent: (type: JobEventType, job: Job) => void;
  /** Keeps the answers about all jobs back. Returns a function that lets them go. */
  hold: () => () => void;
}>;

const tools = {
  list_jobs: { method: "GET", path: "/jobs", effect: "read" },
  get_job: { method: "GET", path: "/jobs/{job}", effect: "read" },
  cancel_job: { method: "POST", path: "/jobs/{job}/cancel", effect: "change" },
} as const;

/** `offers`: the tools that the page is told of. */
export async function openJobServer(
  server: HttpServer,
  offers: readonly (keyof typeof tools)[] = ["list_jobs", "get_job", "cancel_job"],
): Promise<JobServer> {
  const jobs = new Map<string, Job>();
  const requests: string[] = [];
  const streams = new Set<ServerResponse>();
  const pendingEvents: string[] = [];
  let held: Promise<void> = Promise.resolve();

  async function answerJobs(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = "" } = incoming;
    requests.push(`${method} ${url}`);
    const [, id, verb] = /^\/api\/jobs(?:\/([^/]+))?(?:\/(cancel))?$/.exec(url) ?? [];
    if (id === undefined) {
      const all = [...jobs.values()];
      await held;
      return json(response, 200, { jobs: all });
    }
    const job = jobs.get(decodeURIComponent(id));
    if (!job)
      return json(response, 404, { code: "JOB_NOT_FOUND", detail: `There is no job ${id}`, hint: "", next: null });
    if (verb === "cancel") jobs.set(job.job, { ...job, status: "cancelling" });
    return json(response, 200, { job: jobs.get(job.job) });
  }

  const gateway = createServer((incoming, response) => {
    if (/^\/api\/jobs(?:\/|$)/.test(incoming.url ?? "")) void answerJobs(incoming, response);
    else forward(server.url, incoming, response, { offers, streams, pendingEvents });
  }).listen(0, "127.0.0.1");
  await once(gateway, "listening");
  onTestFinished(() => {
    gateway.closeAllConnections();
    gateway.close();
  });
  const url = `http://127.0.0.1:${(gateway.address() as { port: number }).port}`;
  return {
    url,
    login: server.login.replace(server.url, url),
    jobs,
    requests,
    sendEvent(type, { job, kind, title, target, percent }) {
      const data = { job, kind, title, ...(percent !== null && { percent }) };
      const event = { id: crypto.randomUUID(), type, subject: target?.vm ?? job, time: new Date().toISOString(), data };
      const text = `data: ${JSON.stringify(event)}\n\n`;
      if (streams.size === 0) pendingEvents.push(text);
      for (const stream of streams) stream.write(text);
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
  };
}

type Additions = Readonly<{
  offers: readonly (keyof typeof tools)[];
  streams: Set<ServerResponse>;
  pendingEvents: string[];
}>;

function forward(to: string, incoming: IncomingMessage, response: ServerResponse, additions: Additions): void {
  const { "accept-encoding": _encoding, ...headers } = incoming.headers;
  const own = { ...headers, host: new URL(to).host, ...(headers.origin && { origin: to }) };
  const upstream = request(new URL(incoming.url ?? "/", to), { method: incoming.method, headers: own }, (answer) => {
    const type = String(answer.headers["content-type"]);
    if (incoming.url === "/" && type.startsWith("text/html")) return void addFacts(answer, response, additions);
    response.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(response);
    if (!type.startsWith("text/event-stream")) return;
    additions.streams.add(response);
    for (const text of additions.pendingEvents.splice(0)) response.write(text);
  });
  upstream.on("error", () => response.destroy());
  response.on("close", () => {
    additions.streams.delete(response);
    upstream.destroy();
  });
  incoming.pipe(upstream);
}

async function addFacts(answer: IncomingMessage, response: ServerResponse, { offers }: Additions): Promise<void> {
  const html = Buffer.concat(await answer.toArray()).toString("utf8");
  const { "content-length": _length, ...headers } = answer.headers;
  response.writeHead(answer.statusCode!, headers);
  response.end(
    html.replace(/(<script id="facts"[^>]*>)(.*?)(<\/script>)/s, (_all, begin: string, text: string, end: string) => {
      const facts = JSON.parse(text) as { tools: Record<string, unknown> };
      for (const tool of Object.keys(tools)) delete facts.tools[tool];
      for (const tool of offers) facts.tools[tool] = tools[tool];
      return `${begin}${JSON.stringify(facts).replaceAll("<", "\\u003c")}${end}`;
    }),
  );
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
