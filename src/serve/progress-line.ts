/** Progress on stderr: a bar that is redrawn in its line on a terminal, else a line for each message. */

const WIDTH = 24;
const CHARACTERS_MAX = 78;

export type ProgressLine = Readonly<{
  /** `percent`: 0 to 100. Without it there is no bar. */
  show(message: string, percent?: number): void;
  /** Ends the line. Later output begins below it. */
  end(): void;
}>;

type Stream = Readonly<{ isTTY?: boolean; write(text: string): unknown }>;

export function progressLine(stream: Stream): ProgressLine {
  let shown = "";
  let isOpen = false;
  return {
    show(message, percent) {
      const text = lineOf(message, percent);
      if (text === shown) return;
      shown = text;
      if (!stream.isTTY || percent === undefined) {
        if (isOpen) stream.write("\n");
        isOpen = false;
        stream.write(`${text}\n`);
        return;
      }
      // Moves to the beginning of the line and erases it.
      stream.write(`\r\u001b[2K${text}`);
      isOpen = true;
    },
    end() {
      if (isOpen) stream.write("\n");
      isOpen = false;
      shown = "";
    },
  };
}

function lineOf(message: string, percent: number | undefined): string {
  if (percent === undefined) return `… ${message}`;
  const done = Math.round((percent / 100) * WIDTH);
  const bar = `[${"#".repeat(done)}${" ".repeat(WIDTH - done)}]`;
  return `${bar} ${String(Math.floor(percent)).padStart(3)}% ${message}`.slice(0, CHARACTERS_MAX);
}
