/** Pauses between attempts in milliseconds, which double from 10 to 200. */
export function* pauses(): Generator<number, never> {
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 200)) yield pauseMs;
}
