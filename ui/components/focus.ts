/** Keeping the focus where somebody works: a button that is out of use while something is done loses it, and one that is
 * gone afterwards cannot take it back. */

/** What has become of the VM is seen by and by. */
const AFTER_MS = [60, 400, 1_500, 4_000];

let waiting: ReturnType<typeof setTimeout>[] = [];

/** Returns what gives the focus back to where it is now, or else to what the page is about. Where it was when something
 * else was done before is over with that. */
export function keepFocus(): () => void {
  for (const timer of waiting) clearTimeout(timer);
  const held = document.activeElement;
  const giveBack = () => {
    if (document.activeElement !== document.body) return;
    const isThere = held instanceof HTMLElement && held !== document.body && held.isConnected;
    if (isThere) held.focus({ preventScroll: true });
    if (document.activeElement === document.body)
      document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true });
  };
  return () => {
    waiting = AFTER_MS.map((ms) => setTimeout(giveBack, ms));
  };
}
