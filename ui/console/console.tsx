/** A VM's screen and keyboard, opened on demand. Independent of the page: its words and the way to open a console are
 * passed in. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { makeBackgroundInert } from "./inert-background.ts";
import { CLOSE_CODES, type End, type Screen, showScreen } from "./screen.ts";
import "./console.css";

export type ConsoleWords = Readonly<{
  title: string;
  hint: string;
  open: string;
  again: string;
  close: string;
  type: string;
  watchOnly: string;
  full: string;
  notFull: string;
  screen: (vm: string) => string;
  release: string;
  state: Readonly<{ connecting: string; connected: string; watching: string; ended: string }>;
  ends: Readonly<{ stopped: string; refused: string; idle: string; closing: string; lost: string }>;
}>;

export type ConsoleProps = Readonly<{
  vm: Readonly<{ name: string }>;
  words: ConsoleWords;
  /** Whether the VM has a screen now. */
  isOn: boolean;
  /** Returns the path of a console's WebSocket. The message of what it throws is shown. */
  open: () => Promise<string>;
}>;

type State = Readonly<{ at: "closed" | "connecting" | "connected" }> | Readonly<{ at: "ended"; why: string }>;

export function Console({ vm, words: t, isOn, open }: ConsoleProps) {
  const [state, setState] = useState<State>({ at: "closed" });
  const [full, setFull] = useState(false);
  const [watching, setWatching] = useState(false);
  const [id, help] = [useId(), useId()];
  const frame = useRef<HTMLElement>(null);
  const container = useRef<HTMLDivElement>(null);
  const typeButton = useRef<HTMLButtonElement>(null);
  const openButton = useRef<HTMLButtonElement>(null);
  const wasClosedHere = useRef(false);
  const screen = useRef<Screen | undefined>(undefined);
  /** The number of the newest opening. An earlier one may still be on its way. */
  const newest = useRef(0);

  const end = (next: State) => {
    newest.current += 1;
    screen.current?.close();
    screen.current = undefined;
    container.current?.replaceChildren();
    setFull(false);
    setState(next);
  };
  const start = async () => {
    const current = ++newest.current;
    const isNewest = () => newest.current === current;
    setState({ at: "connecting" });
    try {
      const path = await open();
      if (!isNewest()) return;
      const shown = await showScreen(container.current!, {
        path,
        label: t.screen(vm.name),
        connected: () => {
          if (!isNewest()) return;
          setState({ at: "connected" });
          screen.current?.focus();
        },
        ended: (reason) => isNewest() && end({ at: "ended", why: describeEnd(t, reason) }),
        keyboardReleased: () => typeButton.current?.focus(),
      });
      if (!isNewest()) return shown.close();
      shown.watchOnly(watching);
      screen.current = shown;
    } catch (error) {
      if (isNewest()) end({ at: "ended", why: error instanceof Error ? error.message : String(error) });
    }
  };
  useEffect(() => () => end({ at: "closed" }), []);
  useEffect(() => (full ? makeBackgroundInert(frame.current!) : undefined), [full]);

  const isOpen = state.at === "connecting" || state.at === "connected";
  useEffect(() => {
    // The button that had the focus is gone.
    if (!isOpen && wasClosedHere.current) openButton.current?.focus();
    wasClosedHere.current = false;
  }, [isOpen]);
  // The reason of the end stays readable.
  if (!isOn && state.at === "closed") return null;
  const at = state.at === "connected" && watching ? "watching" : state.at;
  const stateText = at === "closed" ? "" : t.state[at];
  return (
    <section ref={frame} class={`card console ${full ? "full" : ""}`} aria-labelledby={id}>
      <div class="row console-bar">
        <h2 id={id}>{t.title}</h2>
        <p role="status" class="quiet">
          {stateText}
          {state.at === "ended" && ` ${state.why}`}
        </p>
        {!isOpen && isOn && (
          <button ref={openButton} type="button" class="button" onClick={() => void start()}>
            {state.at === "ended" ? t.again : t.open}
          </button>
        )}
        {state.at === "connected" && (
          <>
            <button
              ref={typeButton}
              type="button"
              class="button small"
              aria-describedby={help}
              disabled={watching}
              onClick={() => screen.current?.focus()}
            >
              {t.type}
            </button>
            <button
              type="button"
              class="button small"
              disabled={watching}
              onClick={() => screen.current?.pressCtrlAltDel()}
            >
              Ctrl+Alt+Del
            </button>
            <button type="button" class="button small" aria-pressed={full} onClick={() => setFull(!full)}>
              {full ? t.notFull : t.full}
            </button>
            <label class="row">
              <input
                type="checkbox"
                checked={watching}
                onChange={({ currentTarget: { checked } }) => {
                  setWatching(checked);
                  screen.current?.watchOnly(checked);
                }}
              />
              {t.watchOnly}
            </label>
          </>
        )}
        {isOpen && (
          <button
            type="button"
            class="button small"
            onClick={() => {
              wasClosedHere.current = true;
              end({ at: "closed" });
            }}
          >
            {t.close}
          </button>
        )}
      </div>
      <div ref={container} class="console-screen" hidden={!isOpen} />
      <p id={help} class="quiet">
        {isOpen ? t.release : t.hint}
      </p>
    </section>
  );
}

function describeEnd(t: ConsoleWords, { code, reason }: End): string {
  for (const name of ["stopped", "refused", "idle", "closing"] as const)
    if (code === CLOSE_CODES[name]) return t.ends[name];
  return reason || t.ends.lost;
}
