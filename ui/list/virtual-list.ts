/** Which rows of a long list are drawn: those that are seen, and some beside them. */
import { useEffect, useRef, useState } from "preact/hooks";

/** Lists that are shorter than this are drawn whole. */
const WHOLE_MAX = 60;
const BESIDE = 12;

/** `rowHeight` in pixels as it is styled now. */
export function useWindow(count: number) {
  const body = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: 40, height: 0 });
  useEffect(() => {
    if (count <= WHOLE_MAX) return undefined;
    let frame = 0;
    const look = () => {
      frame = 0;
      const element = body.current;
      const row = element?.querySelector<HTMLElement>("[role=row]");
      if (!element || !row) return;
      const height = row.offsetHeight;
      const top = -element.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(top / height) - BESIDE);
      const to = Math.ceil((top + innerHeight) / height) + BESIDE;
      setSeen((before) =>
        before.from === from && before.to === to && before.height === height ? before : { from, to, height },
      );
    };
    const later = () => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
    };
  }, [count]);
  if (count <= WHOLE_MAX) return { body, drawn: { from: 0, to: count, above: 0, below: 0 } };
  const from = Math.min(seen.from, Math.max(0, count - 1));
  const to = Math.min(count, seen.to);
  return { body, drawn: { from, to, above: from * seen.height, below: (count - to) * seen.height } };
}
