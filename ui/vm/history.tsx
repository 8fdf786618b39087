/** A VM's operations and events, newest first. */
import { useEffect, useState } from "preact/hooks";
import { type HistoryEvent, ignoreRefused, type Operation } from "../api/tool.ts";
import { ServerText } from "../components/server-text.tsx";
import { callLabel } from "../language/call-label.ts";
import { formatTime, useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import { toSentence } from "./findings.tsx";
import type { VmActions } from "./vm-actions.ts";

const SHOWN_MAX = 25;
/** Changes that can be undone. Whether the VM still is as they left it the server decides. */
const reversible = new Set(["boot_order.set", "media.set", "drive.add"]);
const canUndo = ({ status, direction, steps }: Operation) =>
  status === "applied" &&
  direction === "forward" &&
  steps.length > 0 &&
  steps.every(({ change }) => reversible.has(change));

export function History({ actions, refreshes }: { actions: VmActions; refreshes: number }) {
  const t = useWords();
  const p = usePageWords();
  const { vm, runner, call, canCall } = actions;
  const [operations, setOperations] = useState<readonly Operation[]>([]);
  const [events, setEvents] = useState<readonly HistoryEvent[]>([]);
  useEffect(() => {
    const args = { vm: vm.uuid, limit: SHOWN_MAX };
    call("list_operations", args).then((found) => setOperations(found.operations), ignoreRefused);
    call("list_events", args).then((found) => setEvents(found.events), ignoreRefused);
  }, [call, vm.uuid, refreshes]);
  return (
    <section class="card history" aria-labelledby="history">
      <h2 id="history">{p.history.title}</h2>
      <div class="columns even">
        <div>
          <h3>{p.history.operations}</h3>
          {operations.length === 0 && <p class="quiet">{p.history.none}</p>}
          <ol class="timeline">
            {operations.map((operation) => (
              <li key={operation.operation}>
                <div>
                  <p>
                    <strong lang="en">{toSentence(summaryOf(operation))}</strong>
                  </p>
                  <p class="quiet">
                    <time dateTime={operation.begun_at}>{formatTime(operation.begun_at)}</time> · {operation.actor} ·{" "}
                    {p.history.status[operation.status]}
                  </p>
                  {operation.error && (
                    <p>
                      <ServerText text={toSentence(operation.error.message)} code={operation.error.code} />
                    </p>
                  )}
                </div>
                {canUndo(operation) && canCall("undo_operation") && (
                  <button
                    type="button"
                    class="button small"
                    disabled={runner.busy.value !== undefined}
                    aria-label={`${p.history.undo}: ${summaryOf(operation)}`}
                    onClick={() =>
                      void runner.run({
                        tool: "undo_operation",
                        args: { operation: operation.operation },
                        label: callLabel(t, "undo_operation", {}),
                        vmName: vm.name,
                      })
                    }
                  >
                    {p.history.undo}
                  </button>
                )}
              </li>
            ))}
          </ol>
        </div>
        <div>
          <h3>{p.history.events}</h3>
          {events.length === 0 && <p class="quiet">{p.history.noEvents}</p>}
          <ol class="timeline">
            {events.map((event) => (
              <li key={event.id}>
                <div>
                  <p>{p.event[event.type as keyof typeof p.event] ?? event.type}</p>
                  <p class="quiet">
                    <time dateTime={event.time}>{formatTime(event.time)}</time>
                  </p>
                </div>
              </li>
            ))}
          </ol>
        </div>
      </div>
    </section>
  );
}

const summaryOf = ({ steps, tool }: Operation): string => steps.map(({ summary }) => summary).join("; ") || tool;
