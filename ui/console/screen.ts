/** A VM's screen in an element of the page: noVNC over the server's WebSocket, whose close code says how it ended. */
import type RFB from "@novnc/novnc";

export type End = Readonly<{ code: number; reason: string }>;
export type Screen = Readonly<{
  focus: () => void;
  watchOnly: (only: boolean) => void;
  pressCtrlAltDel: () => void;
  close: () => void;
}>;

export type ScreenOptions = Readonly<{
  /** A path below the page's own origin. */
  path: string;
  label: string;
  connected: () => void;
  ended: (end: End) => void;
  /** The keys that release the keyboard were pressed. */
  keyboardReleased: () => void;
}>;

/** WebSocket close codes with which the server ends a console. */
export const CLOSE_CODES = { stopped: 4000, refused: 4001, idle: 4002, closing: 1001 } as const;

export async function showScreen(element: HTMLElement, options: ScreenOptions): Promise<Screen> {
  const { default: Rfb } = await import("@novnc/novnc");
  const url = new URL(options.path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, ["binary"]);
  const closed = new AbortController();
  socket.addEventListener("close", ({ code, reason }) => {
    closed.abort();
    options.ended({ code, reason });
  });
  const rfb = new Rfb(element, socket, { shared: true });
  rfb.scaleViewport = true;
  rfb.showDotCursor = true;
  rfb.background = "transparent";
  rfb.addEventListener("connect", () => {
    labelCanvas(element, options.label);
    options.connected();
  });
  // The guest's clipboard is not taken, since nothing listens to it, and the person's never leaves the page.
  element.addEventListener(
    "keydown",
    (event) => {
      if (!(event.ctrlKey && event.altKey && event.shiftKey)) return;
      event.preventDefault();
      event.stopPropagation();
      // No key stays pressed in the VM.
      releaseKeys(rfb);
      options.keyboardReleased();
    },
    { capture: true, signal: closed.signal },
  );
  return {
    focus: () => rfb.focus(),
    watchOnly(only) {
      if (only) releaseKeys(rfb);
      rfb.viewOnly = only;
    },
    pressCtrlAltDel: () => rfb.sendCtrlAltDel(),
    close: () => rfb.disconnect(),
  };
}

/** Releases every pressed key. noVNC does so when the window loses the focus, and at no other time. */
function releaseKeys(rfb: RFB): void {
  window.dispatchEvent(new Event("blur"));
  rfb.blur();
}

/** Labels the canvas, which takes every key, for screen readers. */
function labelCanvas(element: HTMLElement, label: string): void {
  const canvas = element.querySelector("canvas");
  canvas?.setAttribute("role", "application");
  canvas?.setAttribute("aria-label", label);
}
