/** Keeping the focus across a call: a disabled button loses it, and a button that is gone cannot take it back. */

/** The page follows what became of the VM step by step, and each step may take the focus away. */
const RESTORE_AFTER_MS = [60, 400, 1_500, 4_000];

let timers: ReturnType<typeof setTimeout>[] = [];

/** Returns a function that restores the focus to the element that has it now, or else to the page's main part. An earlier
 * restoration that is still pending is dropped. */
export function saveFocus(): () => void {
  for (const timer of timers) clearTimeout(timer);
  const previous = document.activeElement;
  const restore = () => {
    if (document.activeElement !== document.body) return;
    const isThere = previous instanceof HTMLElement && previous !== document.body && previous.isConnected;
    if (isThere) previous.focus({ preventScroll: true });
    if (document.activeElement === document.body)
      document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true });
  };
  return () => {
    timers = RESTORE_AFTER_MS.map((ms) => setTimeout(restore, ms));
  };
}
