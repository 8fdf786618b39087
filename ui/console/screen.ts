/** A VM's screen in an element of the page: noVNC over a WebSocket of ours, which says how it ended. */
import type RFB from "@novnc/novnc";

export type End = Readonly<{ code: number; reason: string }>;
export type Screen = Readonly<{
  focus: () => void;
  watchOnly: (only: boolean) => void;
  pressCtrlAltDel: () => void;
  close: () => void;
}>;

export type ScreenOptions = Readonly<{
  /** Below the page's own origin. */
  path: string;
  label: string;
  connected: () => void;
  ended: (end: End) => void;
  /** The keys that give the keyboard back were pressed. */
  left: () => void;
}>;

/** What the server says when it ends a console. */
export const END = { stopped: 4000, refused: 4001, idle: 4002, closing: 1001 } as const;

export async function showScreen(element: HTMLElement, options: ScreenOptions): Promise<Screen> {
  const { default: Rfb } = await import("@novnc/novnc");
  const url = new URL(options.path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, ["binary"]);
  const over = new AbortController();
  socket.addEventListener("close", ({ code, reason }) => {
    over.abort();
    options.ended({ code, reason });
  });
  const rfb = new Rfb(element, socket, { shared: true });
  rfb.scaleViewport = true;
  rfb.showDotCursor = true;
  rfb.background = "transparent";
  rfb.addEventListener("connect", () => {
    labelled(element, options.label);
    options.connected();
  });
  // What the guest puts on its clipboard is not taken: nobody listens. What is on the person's never leaves the page.
  element.addEventListener(
    "keydown",
    (event) => {
      if (!(event.ctrlKey && event.altKey && event.shiftKey)) return;
      event.preventDefault();
      event.stopPropagation();
      // No key stays pressed in the VM.
      letGo(rfb);
      options.left();
    },
    { capture: true, signal: over.signal },
  );
  return {
    focus: () => rfb.focus(),
    watchOnly(only) {
      if (only) letGo(rfb);
      rfb.viewOnly = only;
    },
    pressCtrlAltDel: () => rfb.sendCtrlAltDel(),
    close: () => rfb.disconnect(),
  };
}

/** noVNC lets go of what is pressed when the window is left, and at no other time. */
function letGo(rfb: RFB): void {
  window.dispatchEvent(new Event("blur"));
  rfb.blur();
}

/** The canvas takes every key, so it says what it is to whoever does not see it. */
function labelled(element: HTMLElement, label: string): void {
  const canvas = element.querySelector("canvas");
  canvas?.setAttribute("role", "application");
  canvas?.setAttribute("aria-label", label);
}
