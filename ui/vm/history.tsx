/** What was done to a VM and what happened to it, newest first. */
import { useEffect, useState } from "preact/hooks";
import { type HistoryEvent, type Operation, Refused } from "../api/tool.ts";
import { Said } from "../components/server-text.tsx";
import { callInWords } from "../language/call-label.ts";
import { timeOf, useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import { sentence } from "./findings.tsx";
import type { Desk } from "./vm-actions.ts";

const SHOWN = 25;
/** Only what these steps did can be taken back; whether things still are as they left them the server says. */
const reversible = new Set(["boot_order.set", "media.set", "drive.add"]);
const canUndo = ({ status, direction, steps }: Operation) =>
  status === "applied" &&
  direction === "forward" &&
  steps.length > 0 &&
  steps.every(({ change }) => reversible.has(change));

export function History({ desk, round }: { desk: Desk; round: number }) {
  const t = useWords();
  const p = usePageWords();
  const { vm, act, call, may } = desk;
  const [operations, setOperations] = useState<readonly Operation[]>([]);
  const [events, setEvents] = useState<readonly HistoryEvent[]>([]);
  useEffect(() => {
    const quiet = (error: unknown) => {
      if (!(error instanceof Refused)) throw error;
    };
    const args = { vm: vm.uuid, limit: SHOWN };
    call("list_operations", args).then((found) => setOperations(found.operations), quiet);
    call("list_events", args).then((found) => setEvents(found.events), quiet);
  }, [call, vm.uuid, round]);
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
                    <strong lang="en">{sentence(summaryOf(operation))}</strong>
                  </p>
                  <p class="quiet">
                    <time dateTime={operation.begun_at}>{timeOf(operation.begun_at)}</time> · {operation.actor} ·{" "}
                    {p.history.status[operation.status]}
                  </p>
                  {operation.error && (
                    <p>
                      <Said text={sentence(operation.error.message)} code={operation.error.code} />
                    </p>
                  )}
                </div>
                {canUndo(operation) && may("undo_operation") && (
                  <button
                    type="button"
                    class="button small"
                    disabled={act.busy.value !== undefined}
                    aria-label={`${p.history.undo}: ${summaryOf(operation)}`}
                    onClick={() =>
                      void act.run({
                        tool: "undo_operation",
                        args: { operation: operation.operation },
                        label: callInWords(t, "undo_operation", {}),
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
                    <time dateTime={event.time}>{timeOf(event.time)}</time>
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
