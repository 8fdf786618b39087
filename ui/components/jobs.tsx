/** Jobs that have not ended, each with its progress and a way to cancel it, and the failures of those that have. */
import { useId, useMemo } from "preact/hooks";
import type { ActiveJob, Job } from "../api/job.ts";
import type { CallTool } from "../api/tool.ts";
import { formatPercent, useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import type { JobStore } from "../list/job-store.ts";
import { type ActionRunner, createActionRunner } from "./action-runner.ts";
import { CloseButton } from "./close-button.tsx";
import { Confirm } from "./confirm.tsx";
import { Outcome } from "./outcome.tsx";
import { ServerText } from "./server-text.tsx";

/** `vm`: the UUID of the VM whose jobs alone are shown. */
type Props = Readonly<{ jobStore: JobStore; call: CallTool; canCancel: boolean; vm?: string }>;

export function Jobs({ jobStore, call, canCancel, vm }: Props) {
  const p = usePageWords();
  const id = useId();
  // Cancelling does not wait for what else is under way on the page.
  const runner = useMemo(() => createActionRunner(call, () => void jobStore.reload()), [call, jobStore]);
  const isShown = ({ target }: Job) => vm === undefined || target?.vm === vm;
  const active = jobStore.active.value.filter(isShown);
  return (
    <>
      <Outcome runner={runner} />
      <Confirm runner={runner} />
      <div role="alert">
        {jobStore.failed.value.filter(isShown).map((job) => (
          <FailureNotice key={job.job} job={job} close={() => jobStore.dismiss(job.job)} />
        ))}
      </div>
      {active.length > 0 && (
        <section class="card" aria-labelledby={id}>
          <h2 id={id}>{p.jobs.title}</h2>
          <ul class="jobs">
            {active.map((job) => (
              <JobItem key={job.job} job={job} linksToVm={vm === undefined} {...(canCancel && { runner })} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** `runner` is absent where the caller may not cancel. */
function JobItem({ job, linksToVm, runner }: { job: ActiveJob; linksToVm: boolean; runner?: ActionRunner }) {
  const t = useWords();
  const p = usePageWords();
  const id = useId();
  const { title, target, status, percent, message } = job;
  const label = p.jobs.cancel(title);
  return (
    <li class="job">
      <p id={id} class="row">
        <strong lang="en">{title}</strong>
        {target && linksToVm && <a href={`#/vms/${encodeURIComponent(target.vm)}`}>{target.name}</a>}
      </p>
      <div class="row">
        {/* An element of its own for each: one that had a value would keep it. */}
        {percent === null ? (
          <progress key="indeterminate" aria-labelledby={id} />
        ) : (
          <progress key="determinate" aria-labelledby={id} max={100} value={percent} />
        )}
        <span class="percent">{percent !== null && formatPercent(percent)}</span>
        {runner && (
          <button
            type="button"
            class="button small"
            aria-label={label}
            disabled={status === "cancelling" || runner.busy.value !== undefined}
            onClick={() =>
              void runner.run({ tool: "cancel_job", args: { job: job.job }, label, vmName: target?.name ?? "" })
            }
          >
            {t.cancel}
          </button>
        )}
      </div>
      <p class="quiet">
        {p.jobs.status[status]}
        {message && (
          <>
            {" · "}
            <span lang="en">{message}</span>
          </>
        )}
      </p>
    </li>
  );
}

function FailureNotice({ job: { title, error }, close }: { job: Job; close: () => void }) {
  const p = usePageWords();
  return (
    <div class="notice refused">
      <div>
        <p>
          <strong>{p.jobs.failed(title)}</strong>
          {error && <span class="code">{error.code}</span>}
        </p>
        {error && (
          <p>
            <ServerText text={error.message} code={error.code} />
          </p>
        )}
      </div>
      <CloseButton close={close} />
    </div>
  );
}
