/** Work that takes minutes. It outlives the call and the process that began it. */
import type { DomainEvent, EventType } from "./event.ts";
import type { Target } from "./vm.ts";

/** `queued`: its process is busy with others. `cancelling`: whoever runs it has been told to stop, and has not yet. */
export const jobStatuses = ["queued", "running", "cancelling", "done", "failed", "cancelled"] as const;
export type JobStatus = (typeof jobStatuses)[number];
export const activeJobStatuses = ["queued", "running", "cancelling"] as const satisfies readonly JobStatus[];

export type Job = Readonly<{
  id: string;
  /** The name of its definition. */
  kind: string;
  /** What it does, for a person: "Copy the disk of web". */
  title: string;
  /** Who asked. */
  actor: string;
  /** The VM that it is about, where it is about one, and that VM's name when it began. */
  target?: Target;
  name?: string;
  input: unknown;
  /** What it has kept to go on from. */
  checkpoint?: unknown;
  /** How often a process has taken it up since the last checkpoint. */
  attempts: number;
  status: JobStatus;
  /** 0 to 100; absent while the job cannot tell. */
  percent?: number;
  /** What it is at. */
  message?: string;
  result?: Readonly<Record<string, unknown>>;
  error?: Readonly<{ code: string; message: string }>;
  startedAt: string;
  updatedAt: string;
  endedAt?: string;
}>;

/** The job has not ended. */
export const isActive = ({ status }: Pick<Job, "status">): boolean =>
  activeJobStatuses.some((active) => active === status);

export type JobEventType = Extract<EventType, `job.${string}`>;

/** An event about a job. `place` tells it from the job's other events: the same place again is the same event. */
export function jobEvent(job: Job, place: string, time: string, type: JobEventType): DomainEvent {
  const { id, kind, title, target, percent, error } = job;
  return {
    specversion: "1.0",
    id: `${id}:${place}`,
    source: `bootwright/${target?.connection ?? "jobs"}`,
    type,
    subject: target?.uuid ?? id,
    time,
    data: { job: id, kind, title, ...(percent !== undefined && { percent }), ...(error && { error }) },
  };
}
