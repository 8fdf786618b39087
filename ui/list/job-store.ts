/** Every job that has not ended, kept up to date by the event stream, and by polling while there is one. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { type ActiveJob, isActive, type Job } from "../api/job.ts";
import type { EventStream, StreamEvent } from "../api/stream.ts";
import { type CallTool, ignoreRefused, Refused } from "../api/tool.ts";

export type JobStore = Readonly<{
  /** Jobs that have not ended, oldest first. Empty where the server offers no jobs. */
  active: ReadonlySignal<readonly ActiveJob[]>;
  /** Jobs that have failed since the page was opened. */
  failed: ReadonlySignal<readonly Job[]>;
  /** Fetches every job again. */
  reload: () => Promise<void>;
  /** Removes a job from `failed`. */
  dismiss: (job: string) => void;
}>;

/** Events in quick succession lead to one fetch. */
const BATCH_MS = 120;
/** Progress has no event of its own on every server. */
const POLL_MS = 2_000;
/** Answers of a server that knows no jobs. */
const unknownTool = new Set(["TOOL_NOT_FOUND", "ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"]);

const byStart = (a: Job, b: Job) => (a.started_at < b.started_at ? -1 : a.started_at > b.started_at ? 1 : 0);

/** `isOffered`: whether the server has `list_jobs` for this caller. Without it nothing is ever fetched. */
export function createJobStore(call: CallTool, stream: EventStream, isOffered: boolean): JobStore {
  const active = signal<readonly ActiveJob[]>([]);
  const failed = signal<readonly Job[]>([]);
  let isKnown = isOffered;
  let requests = 0;
  /** The number of the request whose answer is shown. Answers may arrive out of order. */
  let shown = 0;
  let poll: ReturnType<typeof setTimeout> | undefined;
  let isReloadScheduled = false;

  async function reload(): Promise<void> {
    if (!isKnown) return;
    requests += 1;
    const request = requests;
    try {
      const { jobs } = await call("list_jobs");
      if (request < shown) return;
      shown = request;
      active.value = jobs.filter(isActive).sort(byStart);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (!unknownTool.has(error.refusal.code)) return;
      isKnown = false;
      active.value = [];
    } finally {
      pollLater();
    }
  }

  async function addFailed(id: string): Promise<void> {
    if (!isKnown) return;
    try {
      const { job } = await call("get_job", { job: id });
      if (job.status === "failed") failed.value = [...failed.value.filter((one) => one.job !== id), job];
    } catch (error) {
      ignoreRefused(error);
    }
  }

  function pollLater(): void {
    clearTimeout(poll);
    if (active.value.length === 0 || document.visibilityState === "hidden") return;
    poll = setTimeout(() => void reload(), POLL_MS);
  }

  function reloadSoon(): void {
    if (isReloadScheduled) return;
    isReloadScheduled = true;
    setTimeout(() => {
      isReloadScheduled = false;
      void reload();
    }, BATCH_MS);
  }

  stream.subscribe({
    onEvent({ type, data }: StreamEvent) {
      if (!type.startsWith("job.")) return;
      const percent = data?.percent;
      const isShown = active.value.some(({ job }) => job === data?.job);
      if (type === "job.progressed" && isShown && typeof percent === "number")
        active.value = active.value.map((job) => (job.job === data?.job ? { ...job, percent } : job));
      else reloadSoon();
      if (type === "job.failed" && typeof data?.job === "string") void addFailed(data.job);
    },
    onGap: () => void reload(),
  });
  document.addEventListener("visibilitychange", pollLater);
  void reload();

  return {
    active,
    failed,
    reload,
    dismiss(id) {
      failed.value = failed.value.filter(({ job }) => job !== id);
    },
  };
}
