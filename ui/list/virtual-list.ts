/** The rows of a long list that are drawn: the visible ones and some beside them. */
import { useEffect, useRef, useState } from "preact/hooks";

/** Shorter lists are drawn whole. */
const DRAWN_WHOLE_MAX = 60;
const OVERSCAN_ROWS = 12;

/** Takes the row's height from the first row, so all rows have the same. `above` and `below` are the heights of what is not
 * drawn, in pixels. */
export function useVirtualList(count: number) {
  const body = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ from: 0, to: 40, rowHeight: 0 });
  useEffect(() => {
    if (count <= DRAWN_WHOLE_MAX) return undefined;
    let frame = 0;
    const measure = () => {
      frame = 0;
      const element = body.current;
      const row = element?.querySelector<HTMLElement>("[role=row]");
      if (!element || !row) return;
      const rowHeight = row.offsetHeight;
      const top = -element.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN_ROWS);
      const to = Math.ceil((top + innerHeight) / rowHeight) + OVERSCAN_ROWS;
      setView((before) =>
        before.from === from && before.to === to && before.rowHeight === rowHeight ? before : { from, to, rowHeight },
      );
    };
    const scheduleMeasure = () => {
      frame ||= requestAnimationFrame(measure);
    };
    measure();
    addEventListener("scroll", scheduleMeasure, { passive: true });
    addEventListener("resize", scheduleMeasure);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", scheduleMeasure);
      removeEventListener("resize", scheduleMeasure);
    };
  }, [count]);
  if (count <= DRAWN_WHOLE_MAX) return { body, drawn: { from: 0, to: count, above: 0, below: 0 } };
  const from = Math.min(view.from, Math.max(0, count - 1));
  const to = Math.min(count, view.to);
  return { body, drawn: { from, to, above: from * view.rowHeight, below: (count - to) * view.rowHeight } };
}
