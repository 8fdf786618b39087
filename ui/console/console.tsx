/** A VM's screen and keyboard, for a person who asks for them. Stands by itself: it is given its words, and the way to open
 * one. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { alone } from "./inert-background.ts";
import { END, type End, type Screen, showScreen } from "./screen.ts";
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
  /** Whether there is something to see. */
  on: boolean;
  /** Asks the server for a console and gives the path of its WebSocket; what it throws is shown. */
  open: () => Promise<string>;
}>;

type State = Readonly<{ at: "closed" | "connecting" | "connected" }> | Readonly<{ at: "ended"; why: string }>;

export function Console({ vm, words: t, on, open }: ConsoleProps) {
  const [state, setState] = useState<State>({ at: "closed" });
  const [full, setFull] = useState(false);
  const [watching, setWatching] = useState(false);
  const [id, help] = [useId(), useId()];
  const frame = useRef<HTMLElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const typing = useRef<HTMLButtonElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const closing = useRef(false);
  const screen = useRef<Screen | undefined>(undefined);
  /** Which opening is the one that counts: an earlier one may still be on its way. */
  const turn = useRef(0);

  const end = (next: State) => {
    turn.current += 1;
    screen.current?.close();
    screen.current = undefined;
    place.current?.replaceChildren();
    setFull(false);
    setState(next);
  };
  const start = async () => {
    const mine = ++turn.current;
    const isMine = () => turn.current === mine;
    setState({ at: "connecting" });
    try {
      const path = await open();
      if (!isMine()) return;
      const shown = await showScreen(place.current!, {
        path,
        label: t.screen(vm.name),
        connected: () => {
          if (!isMine()) return;
          setState({ at: "connected" });
          screen.current?.focus();
        },
        ended: (how) => isMine() && end({ at: "ended", why: whyOf(t, how) }),
        left: () => typing.current?.focus(),
      });
      if (!isMine()) return shown.close();
      shown.watchOnly(watching);
      screen.current = shown;
    } catch (error) {
      if (isMine()) end({ at: "ended", why: error instanceof Error ? error.message : String(error) });
    }
  };
  useEffect(() => () => end({ at: "closed" }), []);
  useEffect(() => (full ? alone(frame.current!) : undefined), [full]);

  const isOpen = state.at === "connecting" || state.at === "connected";
  useEffect(() => {
    // The button that had the focus is gone.
    if (!isOpen && closing.current) opener.current?.focus();
    closing.current = false;
  }, [isOpen]);
  // How it ended stays to be read.
  if (!on && state.at === "closed") return null;
  const at = state.at === "connected" && watching ? "watching" : state.at;
  const told = at === "closed" ? "" : t.state[at];
  return (
    <section ref={frame} class={`card console ${full ? "full" : ""}`} aria-labelledby={id}>
      <div class="row console-bar">
        <h2 id={id}>{t.title}</h2>
        <p role="status" class="quiet">
          {told}
          {state.at === "ended" && ` ${state.why}`}
        </p>
        {!isOpen && on && (
          <button ref={opener} type="button" class="button" onClick={() => void start()}>
            {state.at === "ended" ? t.again : t.open}
          </button>
        )}
        {state.at === "connected" && (
          <>
            <button
              ref={typing}
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
              closing.current = true;
              end({ at: "closed" });
            }}
          >
            {t.close}
          </button>
        )}
      </div>
      <div ref={place} class="console-screen" hidden={!isOpen} />
      <p id={help} class="quiet">
        {isOpen ? t.release : t.hint}
      </p>
    </section>
  );
}

function whyOf(t: ConsoleWords, { code, reason }: End): string {
  for (const name of ["stopped", "refused", "idle", "closing"] as const) if (code === END[name]) return t.ends[name];
  return reason || t.ends.lost;
}
